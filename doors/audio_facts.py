"""What the child of `doors.audio` says of a file. It imports little: the child is to start at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

#: For pydantic, which reads the answer: whoever took the child over may say anything.
_STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False}


@dataclass
class Facts:
    """Times are seconds."""

    __pydantic_config__: ClassVar = _STRICT

    codec: str
    known: bool  # whether it is one of those that are read here
    rate: int  # samples a second
    channels: int
    declared: float | None  # how long the file says it is; not what is in it
    width: int | None = None  # pixels, of a film
    height: int | None = None
    counted: float = 0.0  # in all packets that are there
    tried: float = 0.0  # of those at the beginning that were decoded
    decoded: float = 0.0  # what came out of these
    faults: int = 0


@dataclass
class Answer:
    """One of these."""

    __pydantic_config__: ClassVar = _STRICT

    facts: Facts | None = None
    broken: str = ""  # FFmpeg cannot open it, and says why
    no_sound: bool = False  # no stream of sound is in it
    memory: bool = False  # it takes more memory than there is
