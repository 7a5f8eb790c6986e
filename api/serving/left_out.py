"""Import libraries as if those were not installed that they take along where they are, and we never use.

rich and Pygments, of structlog and httpx: the command line needs them, so they are installed wherever we are,
but here nobody draws in a terminal. PyYAML, of kombu: our bells are JSON. Together they would be 5 MB of each
API process.
"""

from __future__ import annotations

import sys

# None in `sys.modules` makes an import fail as that of a missing module does. Who wants one later gets it.
_absent = [name for name in ("rich", "pygments", "yaml") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_absent))  # type: ignore[arg-type]
try:
    import httpx  # noqa: F401
    import kombu.entity  # noqa: F401
    import structlog  # noqa: F401
finally:
    for _name in _absent:
        del sys.modules[_name]
