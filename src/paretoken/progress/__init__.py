"""Where a study stands, decided from its files: no numpy, no torch."""
