"""Pictures to train on: a folder or a ZIP of square pictures of one size, with labels where there are any.

The layout is that of the official program: pictures anywhere below, and `dataset.json` beside them with
{"labels": [["a/0.png", 3], ...]}, where a label is a class's number or a list of numbers. Without that file a
class is a folder of the first level.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from doors.image_facts import HeaderError
from doors.image_files import DECODER_ERRORS, look, open_image
from engines.base import BadInput
from engines.images import BLACK, load_rgb
from engines.stylegan.config import RESOLUTIONS
from training.stylegan.archive import Archive, BadDataset, open_archive

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_TYPES = ("image/png", "image/jpeg", "image/webp", "image/bmp")
LABELS = "dataset.json"
#: Sides that there are discriminators for.
SIDES = RESOLUTIONS[1:]
#: Pixels of a picture that is to be scaled down.
_MAX_PIXELS = 64_000_000
_MAX_CLASSES = 65_536
#: Pillow's modes of a grey picture.
_GREYS = ("1", "L", "LA", "I", "I;16", "I;16B")


class Pictures:
    """A dataset, read picture by picture and kept in memory as far as it fits. Threads may share it."""

    def __init__(
        self,
        path: Path,
        *,
        labels: bool = False,
        resize: int | None = None,
        mirror: bool = False,
        memory: int = 2**31,
    ) -> None:
        """Open `path` and look at every picture's header.

        `labels`: with classes. `resize`: cut to the square in the middle and scaled to that side. `mirror`:
        followed by all of them once more, mirrored. `memory`: bytes of decoded pictures to keep.
        Raises BadDataset when these are no pictures to train on.
        """
        if resize is not None and resize not in SIDES:
            raise BadDataset(f"pictures cannot be scaled to {resize} pixels; the sides are {SIDES}")
        self.path = path
        self._archive = open_archive(path)
        self._files = tuple(name for name in self._archive.names if name.lower().endswith(SUFFIXES))
        if not self._files:
            raise BadDataset(f"there are no pictures in {path}; they end in {', '.join(SUFFIXES)}")
        self.side, self.channels = self._looked_at(resize)
        #: Names of the classes where they are folders.
        self.classes: tuple[str, ...] = ()
        self._labels = Labels(0, [])
        if labels:
            self._labels, self.classes = _labels_of(self._archive, self._files)
        self._mirror = mirror
        self._memory = memory
        self._kept: dict[int, Tensor] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._files) * (2 if self._mirror else 1)

    @property
    def label_size(self) -> int:
        """Numbers in a label; 0 without."""
        return self._labels.size

    def name(self, index: int) -> str:
        """The picture's file, relative to the dataset."""
        return self._files[index % len(self._files)]

    def label(self, index: int) -> Tensor:
        """(label_size,) float32."""
        return self._labels.vector(index % len(self._files))

    def picture(self, index: int) -> Tensor:
        """(channels, side, side) uint8. Raises BadDataset when the file turns out to be damaged."""
        place = index % len(self._files)
        with self._lock:
            found = self._kept.get(place)
        if found is None:
            found = self._decoded(place)
            with self._lock:
                if (len(self._kept) + 1) * found.numel() <= self._memory:
                    self._kept[place] = found
        return found.flip(2) if index >= len(self._files) else found

    def close(self) -> None:
        """Let go of the file."""
        self._archive.close()

    def _looked_at(self, resize: int | None) -> tuple[int, int]:
        """(side, channels) by the headers; 1 channel where all pictures are grey."""
        side, grey = resize or 0, True
        for name in self._files:
            try:
                width, height, mode = _header(self._archive.read(name))
            except DECODER_ERRORS as error:
                raise BadDataset(f"{name} is no picture: {error}") from error
            grey = grey and mode in _GREYS
            if width * height > _MAX_PIXELS:
                raise BadDataset(f"{name} has {width} x {height} pixels, too many")
            if resize is not None:
                continue
            if width != height or width not in SIDES:
                raise BadDataset(
                    f"{name} has {width} x {height} pixels; pictures must be square with a side of {SIDES}: "
                    "scale them, or have them scaled (--resize)"
                )
            side = side or width
            if width != side:
                raise BadDataset(f"{name} has {width} x {height} pixels, and {self._files[0]} has {side}")
        return side, 1 if grey else 3

    def _decoded(self, place: int) -> Tensor:
        name = self._files[place]
        try:
            picture = load_rgb(io.BytesIO(self._archive.read(name)), BLACK)
        except (OSError, BadInput) as error:
            raise BadDataset(f"{name} is no picture: {error}") from error
        if self.channels == 1:
            picture = picture.convert("L")
        if picture.size != (self.side, self.side):
            picture = ImageOps.fit(picture, (self.side, self.side), Image.Resampling.LANCZOS)
        pixels = torch.from_numpy(np.array(picture)).view(self.side, self.side, self.channels)
        return pixels.permute(2, 0, 1).contiguous()


def _header(data: bytes) -> tuple[int, int, str]:
    """(width, height, mode) of a picture, without decoding it."""
    file = io.BytesIO(data)
    media_type, header = look(file)
    if media_type not in _TYPES:
        raise HeaderError(f"it is {media_type}, which is not expected here")
    with open_image(file, media_type, header) as opened:
        return *opened.size, opened.mode


# --- labels -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labels:
    """A label for each picture; classes are kept as numbers, as vectors of them could be large."""

    size: int
    values: Sequence[int | Sequence[float]]

    def vector(self, place: int) -> Tensor:
        """(size,) float32."""
        if not self.size:
            return torch.zeros(0)
        value = self.values[place]
        if not isinstance(value, int):
            return torch.tensor(value, dtype=torch.float32)
        vector = torch.zeros(self.size)
        vector[value] = 1.0
        return vector


def _labels_of(archive: Archive, files: tuple[str, ...]) -> tuple[Labels, tuple[str, ...]]:
    """The labels, and the classes' names where they are folders."""
    if LABELS in archive.names:
        return _listed(_by_name(archive.read(LABELS)), files), ()
    folders = [PurePosixPath(name).parts[0] if "/" in name else "" for name in files]
    classes = tuple(sorted(set(folders)))
    if "" in classes or len(classes) < 2:
        raise BadDataset(f"there are no labels: neither {LABELS} nor a folder for each class")
    return Labels(len(classes), [classes.index(folder) for folder in folders]), classes


def _by_name(data: bytes) -> Mapping[str, Any]:
    """What dataset.json says. Raises BadDataset when it is of another form."""
    try:
        entries = json.loads(data)["labels"]
        return {str(name): label for name, label in entries}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadDataset(f'{LABELS} has not the form {{"labels": [["name.png", 0], ...]}}') from error


def _listed(labels: Mapping[str, Any], files: tuple[str, ...]) -> Labels:
    """In the order of the files. Raises BadDataset when one is absent or not like the others."""
    missing = [name for name in files if name not in labels]
    if missing:
        raise BadDataset(f"{LABELS} has no label for {missing[0]}, and {len(missing) - 1} more")
    wanted = [labels[name] for name in files]
    if all(type(label) is int and 0 <= label < _MAX_CLASSES for label in wanted):
        return Labels(max(wanted) + 1, wanted)
    size = len(wanted[0]) if isinstance(wanted[0], list) else 0
    for name, label in zip(files, wanted, strict=True):
        if not isinstance(label, list) or len(label) != size or not 0 < size <= _MAX_CLASSES:
            raise BadDataset(f"the label of {name} is neither a class's number nor a list like the others")
        # A comparison, which not-a-number fails, and which no integer is too large for.
        if not all(type(value) in (int, float) and -1e30 < value < 1e30 for value in label):
            raise BadDataset(f"the label of {name} holds what is no number")
    return Labels(size, wanted)
