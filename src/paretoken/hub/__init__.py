"""Models and data sets from a hub or a local directory: chosen, downloaded, verified, recorded."""
