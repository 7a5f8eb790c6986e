"""The twelve worlds our planet engines know, in the order of their class indices. Light: specs import it."""

from typing import Literal, get_args

WorldName = Literal[
    "ceres",
    "earth",
    "eris",
    "haumea",
    "jupiter",
    "makemake",
    "mars",
    "mercury",
    "moon",
    "pluto",
    "sun",
    "venus",
]

WORLDS: tuple[WorldName, ...] = get_args(WorldName)
