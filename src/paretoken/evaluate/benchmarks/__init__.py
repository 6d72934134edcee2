"""Benchmarks, one per file; they are registered in `paretoken.registry`."""
