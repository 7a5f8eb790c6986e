"""Tell the C library to give large blocks back to the system as soon as they are freed.

glibc raises the size from which it does so when such a block is freed, up to 32 MiB. Then the blocks of
decoded pictures, 16 MiB each, come from the heaps of single threads, and a process was seen to keep 400 MiB.
Of those heaps there are few for the same reason.
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
_M_TRIM_THRESHOLD = -1
_M_ARENA_MAX = -8
_LARGE = 1024 * 1024
#: Free memory at a heap's end that is kept: from 128 KiB on, small requests would ask for it each time.
_KEPT = 4 * 1024 * 1024
#: Heaps that threads share. By default eight a core, and each keeps what is free in it. Only one thread runs
#: Python at a time, so two wait for each other rarely.
_HEAPS = 2


def give_back_large_blocks() -> None:
    """Do so from now on, and with all that is free now, where the C library is glibc."""
    library = ctypes.CDLL(None)
    mallopt = getattr(library, "mallopt", None)
    if mallopt is not None:
        library.malloc_trim(0)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
        mallopt(_M_ARENA_MAX, _HEAPS)
