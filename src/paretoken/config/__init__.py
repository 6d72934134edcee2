"""The definition of ``config.yaml``: its records and their validation."""
