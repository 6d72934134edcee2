"""Checks before a run, of a config and the files that it names: whether a study can run to its end.

There is one function per rule. A rule takes a `Subject`, one study of a config, and yields `Finding`s.
Snakemake runs the rules before every run, so nothing here imports numpy, torch or matplotlib, except to
check a table of latency, and models in local directories.
"""
