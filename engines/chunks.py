"""Passes of one size through a net, so that a result does not depend on what else is computed with it.

Libraries choose their algorithm, and with it the rounding, by the shape: a picture that was made alone and
the same picture made among others would differ in their last bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def filled_chunks(items: Iterable[T], size: int) -> Iterator[tuple[list[T], int]]:
    """Lists of exactly `size` items, and how many of them are wanted: the last is filled up with its first.

    Takes items as they are needed.
    """
    waiting = iter(items)
    while chunk := list(islice(waiting, size)):
        yield chunk + chunk[:1] * (size - len(chunk)), len(chunk)
