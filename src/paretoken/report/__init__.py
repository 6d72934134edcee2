"""Pages about a study."""
