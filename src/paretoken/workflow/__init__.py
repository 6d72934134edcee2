"""Inputs of the workflow's rules, and options of their commands, as functions of wildcards."""
