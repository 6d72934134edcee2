"""A study's grid of cells, the files of its cells, and the tables that commands exchange."""
