"""`python -m tests.faults > docs/FAULTS.md`"""

import os
import sys

import django

import tests.environment  # noqa: F401  # keys and a folder of its own, before the settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from .document import document  # noqa: E402  # rows know models

sys.stdout.write(document())
