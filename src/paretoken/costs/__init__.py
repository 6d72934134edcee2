"""What models cost: dimensions, work, GPU memory, and the cost of one answer under several models."""
