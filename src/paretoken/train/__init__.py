"""Two-stage training: recipes, the trainer, checkpoints and the record of a run."""
