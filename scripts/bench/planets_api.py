"""The API with another `max_batch` of the planets engine, for planets_service.py: 1 switches batching off.

Which jobs may run together is decided when a job is accepted and kept in its row; workers need not know.

    python scripts/bench/planets_api.py 1
"""

from __future__ import annotations

import sys
from dataclasses import replace

from gunicorn.app.wsgiapp import run

from engines.planets import spec


def main() -> None:
    # Before anything asks for it; gunicorn's processes are forked from this one.
    spec.SPEC = replace(spec.SPEC, max_batch=int(sys.argv[1]))
    sys.argv = ["gunicorn", "--config", "python:api.gunicorn"]
    run()


if __name__ == "__main__":
    main()
