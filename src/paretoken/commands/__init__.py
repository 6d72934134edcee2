"""One module per subcommand: parse, read, call one function, write."""
