"""A worker that calls no job again when its last part ends, for `--ablate parts`.

As in a system that counts arrivals and loses one: all parts have ended, and their job waits for ever.
"""

from __future__ import annotations

from jobs.store import parts
from workers.__main__ import main


def _forget(*_: object) -> None:
    """The last part has ended, and nobody tells its job."""


# At import, for the pool's child: it is spawned, and imports its parent's main module and nothing else of it.
parts.stand_again = _forget  # type: ignore[assignment]

if __name__ == "__main__":
    main()
