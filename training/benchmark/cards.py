"""What the cards of the shipped weights say that a reader of the tables must know."""

from __future__ import annotations

from napari_dran.weights import list_weights


def taught(key: str, what: str) -> str:
    """Name the shipped weights whose training showed them what a test is made of.

    Parameters
    ----------
    key : str
        Key of the recipe, the share of crops with it.
    what : str
        What is in those crops.

    Returns
    -------
    str
        A sentence; "" if there are none.
    """
    shares = {
        card.name: dict(card.training.get("recipe", {})).get(key, 0) for card in list_weights()
    }
    named = [f"{name} ({100 * share:g} % of its crops)" for name, share in shares.items() if share]
    if not named:
        return ""
    return f"Trained with {what}, so that this test is no surprise to it: {', '.join(named)}."
