"""`python -m training.planets.prepare` by its file, for where a path is easier to give than a module."""

from __future__ import annotations

import sys

from training.planets.prepare import main

if __name__ == "__main__":
    sys.exit(main())
