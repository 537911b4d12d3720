"""`python -m connectors.segment.simulator`: the simulator without Django."""

import sys

from .cli import main

sys.exit(main())
