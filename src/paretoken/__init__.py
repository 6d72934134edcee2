"""Paretoken: the Pareto frontier of visual tokens against language-model size."""

__version__ = "0.1.0"
