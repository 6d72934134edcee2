"""Benchmarks: how one answer is scored. One file each, registered in `paretoken.registry`."""
