"""Running on a SLURM cluster: the requests of jobs, their states, and the scripts that they run."""
