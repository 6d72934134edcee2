"""Directories of untrusted models, validated before a library reads them."""
