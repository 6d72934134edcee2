"""Ways to compress an image: for each, a specification without PyTorch and, beside it, its module."""
