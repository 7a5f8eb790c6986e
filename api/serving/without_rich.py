"""Import structlog and httpx as if rich were not installed, which both take along where it is.

The command line needs rich, so it is installed wherever we are. Here nobody draws in a terminal: its modules,
and Pygments', would be 4 MB of each API process.
"""

from __future__ import annotations

import sys

# None in `sys.modules` makes an import fail as that of a missing module does. Who wants rich later gets it.
_absent = [name for name in ("rich", "pygments") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_absent))  # type: ignore[arg-type]
try:
    import httpx  # noqa: F401
    import structlog  # noqa: F401
finally:
    for _name in _absent:
        del sys.modules[_name]
