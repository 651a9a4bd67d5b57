"""`python -m covey.cli`."""

import sys

from . import main

sys.exit(main())
