"""Running on a SLURM cluster: what jobs ask of a site, what became of them, and what they run."""
