"""One module per figure; each turns a study's results into a drawing, every number from them."""
