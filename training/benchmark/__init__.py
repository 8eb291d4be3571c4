"""The evidence: ``python -m training.benchmark --help``, from the repository's root.

Measures denoisers, keeps every score in CSV files below ``training/results/``,
and writes ``docs/evidence.md`` from those files alone. How an experiment is made
stands in ``README.md`` beside this file.
"""
