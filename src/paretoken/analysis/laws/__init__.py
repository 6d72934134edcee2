"""The scaling laws."""
