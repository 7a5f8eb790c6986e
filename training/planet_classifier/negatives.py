"""Pictures that show no planet: drawn ones, and photographs of a folder. For training the classifier.

Two kinds: `frames` are opaque and fill their square; `things` have a shape, all around is transparent.
Photographs come from wherever there are some: `--photographs DIR` of train.py. They are read,
never kept or committed. The drawn ones are the same for a seed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from doors.image_facts import HeaderError
from doors.image_files import look
from engines.base import BadInput
from engines.images import load
from training.planet_classifier import frames as drawn_frames
from training.planet_classifier import things as drawn_things

#: Side of the stored pictures, in pixels.
SIDE = 128

#: Files whose path says that they may show one of the worlds, or something like it, are left out.
SPACE = re.compile(
    r"planet|space|solar|astro(?!naut)|asteroid|moon|luna|sun(?!flower|day|der|glass|screen)|stars?\b|globe|world|galax|nebula|orbit|comet"
    r"|mercur|venus|earth|mars(?!h|u)|jupiter|saturn|uranus|neptun|pluto|ceres|eris\b|haumea|makemake",
    re.IGNORECASE,
)
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
#: Smaller pictures are icons.
_LEAST = 96
#: Of 4,096 pixels, no more different ones than this make a diagram or a screen.
_FEW = 500

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Negatives:
    """Both kinds, (N, 4, SIDE, SIDE) uint8, premultiplied."""

    frames: Tensor
    things: Tensor

    def and_(self, other: Negatives) -> Negatives:
        """Both together."""
        return Negatives(torch.cat([self.frames, other.frames]), torch.cat([self.things, other.things]))


def drawn(count: int, seed: int) -> Negatives:
    """`count` frames and as many things, all kinds equally often; the same for a seed."""
    frames = [_picture(drawn_frames.MAKERS, n, seed, "frame") for n in range(count)]
    things = [_picture(drawn_things.MAKERS, n, seed, "thing") for n in range(count)]
    return Negatives(_stack(frames), _stack(things))


Maker = Callable[[np.random.Generator, int], Image.Image]


def _picture(makers: tuple[Maker, ...], number: int, seed: int, purpose: str) -> Image.Image:
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    chance = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return makers[number % len(makers)](chance, SIDE)


def photograph_files(folders: Iterable[Path]) -> list[Path]:
    """Pictures in the folders and below, without those whose path speaks of space.

    In an order that takes from all folders in turn, and from each by chance but always alike: so a limit
    leaves out most of the largest.
    """
    found = []
    for folder in folders:
        files = [file for file in folder.rglob("*") if file.suffix.lower() in _SUFFIXES]
        names = [str(file.relative_to(folder)) for file in files]
        hashed = sorted((hashlib.sha256(n.encode()).digest(), n) for n in names if not SPACE.search(n))
        found += [(place, folder, name) for place, (_, name) in enumerate(hashed)]
    return [folder / name for _, folder, name in sorted(found)]


def a_tenth(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """(nine tenths, one tenth) of the files, by a hash of each one's name, so that it stays."""
    last = [hashlib.sha256(file.name.encode()).digest()[0] % 10 == 0 for file in files]
    kept = [file for file, out in zip(files, last, strict=True) if not out]
    return kept, [file for file, out in zip(files, last, strict=True) if out]


def photographs(files: Iterable[Path], crops: int, most: int) -> Negatives:
    """Of each photograph `crops` squares out of it, and the whole; of cut-out things only the whole.

    About `most` pictures of each kind at most, the first ones. Passed over are unreadable files, icons,
    diagrams and what was there already. Raises ValueError when nothing is left.
    """
    frames: list[Image.Image] = []
    things: list[Image.Image] = []
    seen: set[bytes] = set()
    for file in files:
        if len(frames) >= most and len(things) >= most:
            break
        picture = _read(file)
        if picture is None:
            continue
        digest = hashlib.sha256(picture.resize((8, 8)).quantize(16).tobytes()).digest()
        if digest in seen:  # the same in another size or folder
            continue
        seen.add(digest)
        opaque = np.asarray(picture.getchannel("A")).mean() > 250.0
        if opaque and len(frames) < most:
            chance = np.random.default_rng(int.from_bytes(digest[:8], "big"))
            frames += [_crop(picture, chance) for _ in range(crops)]
        if len(things) < most:
            things.append(_whole(picture))
    if not frames and not things:
        raise ValueError("no photographs found")
    return Negatives(_stack(frames), _stack(things))


def _read(file: Path) -> Image.Image | None:
    """The picture as RGBA, no larger than it will be needed; None for what is not to be used."""
    try:
        with file.open("rb") as opened:
            _, header = look(opened)
            sides = sorted((header.width, header.height))
            if sides[0] < _LEAST or sides[1] > 4 * sides[0]:
                return None
            picture = load(opened).convert("RGBA")
    except (OSError, HeaderError, BadInput):
        return None
    picture.thumbnail((4 * SIDE, 4 * SIDE), Image.Resampling.BILINEAR)
    colours = picture.resize((64, 64), Image.Resampling.BILINEAR).getcolors(_FEW)
    return picture if colours is None else None


def _whole(picture: Image.Image) -> Image.Image:
    """All of it in the middle of a transparent square."""
    small = picture.copy()
    box = small.getchannel("A").getbbox()
    small = small.crop(box) if box else small
    scale = SIDE * 0.95 / max(small.size)
    size = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    small = small.resize(size, Image.Resampling.BILINEAR)
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(small, ((SIDE - small.width) // 2, (SIDE - small.height) // 2))
    return square


def _crop(picture: Image.Image, chance: np.random.Generator) -> Image.Image:
    """A square out of it, a third of its short side at least."""
    side = int(min(picture.size) * chance.uniform(0.34, 1.0))
    left, top = chance.integers(0, picture.width - side + 1), chance.integers(0, picture.height - side + 1)
    box = (int(left), int(top), int(left) + side, int(top) + side)
    return picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)


def _stack(pictures: list[Image.Image]) -> Tensor:
    """RGBA pictures -> (N, 4, SIDE, SIDE) uint8, premultiplied."""
    if not pictures:
        return torch.empty(0, 4, SIDE, SIDE, dtype=torch.uint8)
    return torch.stack([torch.from_numpy(array) for array in map(_premultiplied, pictures)])


def _premultiplied(picture: Image.Image) -> Bytes:
    rgba = np.asarray(picture.convert("RGBA"), dtype=np.float32).copy()
    rgba[..., :3] *= rgba[..., 3:] / 255.0
    return np.ascontiguousarray((rgba + 0.5).astype(np.uint8).transpose(2, 0, 1))


def sheet(pixels: Tensor, columns: int) -> Image.Image:
    """The pictures on black, as a contact sheet of all of them."""
    rows = -(-len(pixels) // columns)
    out = Image.new("RGB", (columns * SIDE, rows * SIDE))
    for index, rgba in enumerate(pixels):
        picture = Image.fromarray(rgba[:3].permute(1, 2, 0).contiguous().numpy())
        out.paste(picture, (index % columns * SIDE, index // columns * SIDE))
    return out
