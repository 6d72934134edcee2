"""Jobs of a study: which there are, where each stands, and who drives them. No numpy, no torch."""
