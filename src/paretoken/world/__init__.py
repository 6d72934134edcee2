"""The generated world of the miniature study: facts, images, questions; no torch."""
