"""Estimates of a study's cost before it runs, without numpy or torch: FLOPs, memory, hours, disk."""
