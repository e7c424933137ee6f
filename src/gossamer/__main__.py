"""`python -m gossamer`: the command line, where the command itself is not on the path."""

from __future__ import annotations

import sys

from gossamer.cli.main import main

sys.exit(main())
