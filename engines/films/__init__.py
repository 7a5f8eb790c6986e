"""Moving pictures for every engine: frames are encoded as they are made, and a film can be taken up again."""

from __future__ import annotations

from engines.films.base import Film
from engines.films.frames import WebP, Zip
from engines.films.mp4 import Mp4

#: By the word a parameter has for it.
FILMS: dict[str, type[Film]] = {film.suffix: film for film in (Mp4, WebP, Zip)}

__all__ = ["FILMS", "Film", "Mp4", "WebP", "Zip"]
