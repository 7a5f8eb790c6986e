"""The weight files engines may need: what they are and where they lie. No torch here: the API asks `present`.

`engines.install_weights` brings them there.
Owns the environment variable ATELIER_WEIGHTS_DIR.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path


class WeightsError(Exception):
    """A weight file could not be fetched, is not what it should be, or is unknown."""


@dataclass(frozen=True)
class Weight:
    """One published weight file."""

    name: str
    filename: str
    url: str
    #: The first hex digits of the file's sha256; torchvision publishes the first eight, in the file's name.
    sha256_prefix: str
    licence: str
    about: str


WEIGHTS = {
    weight.name: weight
    for weight in (
        Weight(
            name="vgg19",
            filename="vgg19-dcbb9e9d.pth",
            url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
            sha256_prefix="dcbb9e9d",
            licence="BSD-3-Clause (torchvision); trained on ImageNet, whose images are for research use",
            about="VGG-19 classifier (Simonyan and Zisserman 2014) trained on ImageNet; neural_style, "
            "method=gatys, measures style and content with its convolutions. 548 MiB.",
        ),
    )
}


def weight(name: str) -> Weight:
    """The registry's entry. Raises WeightsError for an unknown name."""
    try:
        return WEIGHTS[name]
    except KeyError:
        known = ", ".join(sorted(WEIGHTS))
        raise WeightsError(f"unknown weights {name!r}; known: {known}") from None


def weights_dir() -> Path:
    """The folder of weight files: ATELIER_WEIGHTS_DIR, else one in the user's data folder."""
    return Path(os.environ.get("ATELIER_WEIGHTS_DIR") or "~/.local/share/atelier/weights").expanduser()


def path(name: str) -> Path:
    """Where the file lies once installed. Raises WeightsError for an unknown name."""
    return weights_dir() / weight(name).filename


def present(name: str) -> bool:
    """Whether the file is there. `install` and `pull` put only verified files there."""
    return path(name).is_file()


def installed() -> tuple[str, ...]:
    """The names of the files that are there."""
    return tuple(name for name in WEIGHTS if present(name))


def verify(file: Path, expected: Weight) -> str:
    """Check the file's sha256 and return it. Raises WeightsError when it is absent or another file."""
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error}") from error
    if not digest.startswith(expected.sha256_prefix):
        raise WeightsError(
            f"{file.name} is not {expected.name}: its sha256 is {digest[:16]}..., "
            f"expected {expected.sha256_prefix}..."
        )
    return digest
