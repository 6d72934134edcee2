"""Pages that report the results of a study."""
