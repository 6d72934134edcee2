"""Data sets: conversations, images, features and batches."""
