"""The paper's claims, each a test that ends in a verdict."""
