"""The analysis of measured errors: laws, frontiers and verdicts. It does not import torch."""
