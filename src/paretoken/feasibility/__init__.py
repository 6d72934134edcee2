"""Whether a study can be run to its end: what a config, and the files that it names, say beforehand.

One function per rule. A rule takes a `Subject`, one study of a config, and yields its `Finding`s.
Nothing here imports numpy, torch or matplotlib, as Snakemake asks before every run, except for what a
study names on this machine: a table of latency, and models in local directories.
"""
