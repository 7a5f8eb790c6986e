"""Planet n of a seed: its latent and its world, the same on every machine and in every company.

The numbers come from SHAKE-256 (FIPS 202) and not from a library's generator: those may change with a
version, and a game keeps its seeds for years.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engines.planets.spec import LATENT, PlanetsParams, World, decode_latent
from engines.worlds import WORLDS

Floats = npt.NDArray[np.float32]

#: The standard deviation of a byte that is any of 0..255 as often as another.
_BYTE_DEVIATION = math.sqrt((256**2 - 1) / 12)


class Code(NamedTuple):
    """What a net takes for one picture."""

    #: (128,) normal, times `variation`.
    latent: Floats
    #: (12,) shares of the worlds, summing to 1.
    worlds: Floats
    #: (N,) of mean 0 and variance 1.
    noise: Floats


@dataclass(frozen=True)
class Planet:
    """What one picture is made from."""

    #: Its number in the seed; None where a latent was given.
    number: int | None
    #: (128,) standard normal, before `variation`.
    latent: Floats
    #: (12,) shares of the worlds, summing to 1.
    worlds: Floats

    def code(self, variation: float, noise: int) -> Code:
        """For a net that takes so many numbers of noise."""
        return Code(self.latent * np.float32(variation), self.worlds, _grain(self.latent, noise))

    def mix(self) -> dict[str, float]:
        """The worlds it is made of and how much of each, for the record."""
        return {
            world: round(float(share), 6)
            for world, share in zip(WORLDS, self.worlds, strict=True)
            if share > 0
        }


def planets_of(params: PlanetsParams, seed: int) -> list[Planet]:
    """The planets a job shows, in order; with `morph_to` every second one is of that world."""
    if params.latent is not None:
        latent = np.asarray(decode_latent(params.latent), dtype=np.float32)
        worlds, _ = _drawn(seed, params.first)
        return [Planet(None, latent, _shares(params.world, worlds))]
    found = []
    for place in range(params.planets()):
        choice = params.morph_to if params.morph_to is not None and place % 2 else params.world
        worlds, latent = _drawn(seed, params.first + place)
        found.append(Planet(params.first + place, latent, _shares(choice, worlds)))
    return found


def _drawn(seed: int, number: int) -> tuple[int, Floats]:
    """(world, latent (128,)) of a planet of a seed."""
    digest = hashlib.shake_256(f"planet/{seed}/{number}".encode()).digest(8 * (LATENT + 1))
    integers = np.frombuffer(digest, dtype="<u8")
    uniform = ((integers[1:] >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53  # in (0, 1)
    # Box and Muller 1958: two uniform numbers make two normal ones.
    radius = np.sqrt(-2.0 * np.log(uniform[0::2]))
    angle = 2.0 * np.pi * uniform[1::2]
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return int(integers[0] % np.uint64(len(WORLDS))), normal.astype(np.float32)


def _grain(latent: Floats, count: int) -> Floats:
    """The noise (count,) that belongs to a latent; a larger net's begins with a smaller one's."""
    digest = hashlib.shake_256(b"grain/" + latent.astype("<f4").tobytes()).digest(count)
    return (np.frombuffer(digest, dtype=np.uint8).astype(np.float32) - 127.5) / np.float32(_BYTE_DEVIATION)


def _shares(choice: World, drawn: int) -> Floats:
    """A world parameter -> (12,) shares. `any` takes the planet's own draw."""
    shares = np.zeros(len(WORLDS), dtype=np.float64)
    if isinstance(choice, str):
        shares[drawn if choice == "any" else WORLDS.index(choice)] = 1.0
    else:
        for world, weight in choice.items():
            shares[WORLDS.index(world)] = weight
        shares /= shares.sum()
    return shares.astype(np.float32)
