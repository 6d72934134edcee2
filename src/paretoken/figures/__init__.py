"""One module per figure; each draws numbers from a study's results and nothing else."""
