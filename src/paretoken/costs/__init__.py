"""Costs of models: dimensions, FLOPs, GPU memory, and the cost of one answer under several models."""
