"""`python -m training.stylegan.train` by its file, for where a path is easier to give than a module."""

from __future__ import annotations

import sys

from training.stylegan.train import main

if __name__ == "__main__":
    sys.exit(main())
