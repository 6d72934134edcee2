"""Prediction (torch) and scoring (no torch)."""
