"""Compressors: from patches of several encoder layers to V visual tokens. One file each."""
