"""The generated world of the miniature study: facts, images and questions, without torch."""
