"""``python -m lanewise`` is the command ``lanewise``."""

import sys

from .cli import main

sys.exit(main())
