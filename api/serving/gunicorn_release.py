"""The releases of gunicorn that `api.serving.connections` was made for: it reaches into private parts."""

from __future__ import annotations

import gunicorn

#: Major releases in which those parts are what that file takes them to be.
TRIED = (27,)


def require_tried() -> None:
    """Ends the program under another gunicorn: it would start, and hang or lose answers later."""
    if gunicorn.version_info[0] not in TRIED:
        raise SystemExit(
            f"gunicorn {gunicorn.__version__} was not tried with this API, which needs {TRIED[-1]}.x: "
            "install what requirements/api.txt names."
        )
