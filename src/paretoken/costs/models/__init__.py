"""Models of the cost of one answer; the registry names each of them."""
