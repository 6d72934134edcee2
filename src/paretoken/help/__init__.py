"""What `--help`, `--version` and `--print-completion` print."""
