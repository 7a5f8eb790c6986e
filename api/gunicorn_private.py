"""What of gunicorn has no setting: reached by its private names, in the releases in which that was tried."""

from __future__ import annotations

import warnings

import gunicorn
from gunicorn.http import parser

#: Major releases in which the names below mean what this file takes them to mean.
TRIED = (27,)


def drain(most_bytes: int) -> bool:
    """Let what a client still sends after a refusal be read up to `most_bytes`; whether that could be done.

    gunicorn reads 64 KiB, which no setting changes. One connection that is closed over unread bytes is reset,
    and the answer may be lost (RFC 9112, 9.6). In a release that was not tried nothing is changed and a
    warning says so: the API works, but for answers to large uploads that it refuses.
    """
    if gunicorn.version_info[0] not in TRIED or not isinstance(
        getattr(parser, "_DRAIN_MAX_BYTES", None), int
    ):
        warnings.warn(
            f"gunicorn {gunicorn.__version__} was not tried here: answers to refused uploads may be lost",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    parser._DRAIN_MAX_BYTES = most_bytes
    return True
