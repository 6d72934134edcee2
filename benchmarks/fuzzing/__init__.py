"""Mutated inputs for every command that reads them, and independent judges of accepted ones."""
