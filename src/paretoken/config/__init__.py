"""The only definition of ``config.yaml``: what is studied, as records with a name."""
