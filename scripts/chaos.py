"""The chaos run, by its short name: `python scripts/chaos.py --help`, or `python -m scripts.chaos`."""

from __future__ import annotations

import sys

from scripts.chaos.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
