"""Reading and writing files: whole or not at all, within limits, with errors that name the file."""
