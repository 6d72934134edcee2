"""What the rules of the workflow read, and the options of their commands, as functions of wildcards."""
