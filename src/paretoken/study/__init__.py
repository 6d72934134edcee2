"""A study's grid of cells, the files that they leave, and the tables that commands exchange."""
