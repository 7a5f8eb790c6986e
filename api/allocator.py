"""Tell the C library to give large blocks back to the system as soon as they are freed.

glibc raises the size from which it does so when such a block is freed, up to 32 MiB. Then the blocks of
decoded pictures, 16 MiB each, come from the heaps of single threads, and a process was seen to keep 400 MiB.
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
_M_TRIM_THRESHOLD = -1
_LARGE = 1024 * 1024
#: Free memory at a heap's end that is kept: from 128 KiB on, small requests would ask for it each time.
_KEPT = 4 * 1024 * 1024


def give_back_large_blocks() -> None:
    """Do so from now on, where the C library is glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
