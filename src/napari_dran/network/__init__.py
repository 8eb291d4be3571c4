"""Torch modules: tensors in, tensors out. Nothing here reads files or arrays."""
