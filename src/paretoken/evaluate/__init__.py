"""Prediction (with torch) and scoring (without torch)."""
