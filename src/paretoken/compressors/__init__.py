"""Compressors of images: for each, a specification without PyTorch, and its PyTorch module beside it."""
