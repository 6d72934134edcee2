"""`python -m paretoken` is `paretoken`."""

import sys

from paretoken.cli import command_line

sys.exit(command_line())
