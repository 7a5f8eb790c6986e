"""The twelve worlds our planet engines know, in the order of their class indices. Light: specs import it."""

WORLDS = (
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
)
