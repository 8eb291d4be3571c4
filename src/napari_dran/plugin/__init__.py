"""What napari sees. Nothing is imported here: napari imports it at every start."""
