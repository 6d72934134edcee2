"""`python -m paretoken` is `paretoken`."""

import sys

from paretoken.cli import main

sys.exit(main())
