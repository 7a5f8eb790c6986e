"""Moving pictures for every engine: frames are encoded as they are made, and a film can be taken up again."""

from __future__ import annotations

from fractions import Fraction

from engines.films.base import Film
from engines.films.frames import WebP, Zip
from engines.films.mp4 import Mp4

#: By the word a parameter has for it.
FILMS: dict[str, type[Film]] = {film.suffix: film for film in (Mp4, WebP, Zip)}


def begun(kind: str, rate: Fraction, state: bytes | None) -> Film:
    """A film that goes on from its checkpoint; from the beginning where there is none, or it is damaged."""
    try:
        return FILMS[kind](rate, state)
    except ValueError:
        return FILMS[kind](rate)


__all__ = ["FILMS", "Film", "Mp4", "WebP", "Zip", "begun"]
