"""Directories of models from elsewhere, looked at before a library reads them."""
