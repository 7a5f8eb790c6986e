"""The C library's memory: few heaps for many threads."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

#: Many threads that hold a block of the C library's at one time, then how many heaps there are.
_HEAPS = """
import ctypes, sys, threading
from api.serving.allocator import give_back_large_blocks
if sys.argv[1] == "few":
    give_back_large_blocks()
library = ctypes.CDLL(None)
library.malloc.restype = library.open_memstream.restype = ctypes.c_void_p
together = threading.Barrier(12)
def hold():
    library.malloc(10_000)
    together.wait()
threads = [threading.Thread(target=hold) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
text, size = ctypes.c_char_p(), ctypes.c_size_t()
file = ctypes.c_void_p(library.open_memstream(ctypes.byref(text), ctypes.byref(size)))
library.malloc_info(0, file)
library.fclose(file)
print(text.value.count(b"<heap nr"))
"""


def heaps(how: str) -> int:
    out = subprocess.run([sys.executable, "-c", _HEAPS, how], check=True, capture_output=True, timeout=60)
    return int(out.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="the C library is not glibc")
def test_threads_share_two_heaps():
    assert heaps("as it is") > 2
    assert heaps("few") <= 2
