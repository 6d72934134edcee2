"""What one answer costs, under several models: a registry entry per module attribute."""
