"""Conversations, images, features and batches."""
