"""Training the miniature's sources: directories that `from_pretrained` loads like downloaded ones."""
