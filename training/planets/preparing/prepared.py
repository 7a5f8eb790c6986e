"""The folder that `prepare.py` fills: settings, measurements, pictures, manifest; whole files or none.

OUT/<size>/<world>/000.png   the pictures
OUT/contact/<world>.jpg      a contact sheet a world
OUT/manifest.json            what became of each source file
OUT/.prepare/                settings and measurements, for going on after an interruption
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

#: The PNG text chunk that says from what and how a picture was made.
_KEY = "planets-prepare"


class Changed(Exception):
    """The folder was made with other settings; the message names them."""


class Busy(Exception):
    """Another run is working in the folder."""


class Prepared:
    """One output folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state = folder / ".prepare"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out. Raises Busy when one is in already."""
        self._state.mkdir(parents=True, exist_ok=True)
        with (self._state / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Busy(f"another run is working in {self.folder}") from error
            yield

    def begin(self, settings: dict[str, Any], force: bool) -> None:
        """Take up the work with these settings, or with `force` from the start when they were others.

        Raises Changed when they were others and `force` is not set.
        """
        file = self._state / "settings.json"
        if file.exists():
            try:
                before = json.loads(file.read_text())
            except ValueError:
                before = {}
            changed = [
                f"{name}: {before.get(name)!r} -> {settings.get(name)!r}"
                for name in sorted({*before, *settings})
                if before.get(name) != settings.get(name)
            ]
            if changed and not force:
                raise Changed("; ".join(changed))
        for half in self.folder.rglob(".*.part"):  # of a run that was killed while it wrote
            half.unlink()
        if force:
            for old in self._state.glob("*.jsonl"):
                old.unlink()
            self.sweep(set())
        write(file, (json.dumps(settings, indent=1, sort_keys=True) + "\n").encode())

    def measurements(self, world: str) -> dict[str, dict[str, Any]]:
        """What earlier runs measured, by the source file's stamp; a half-written line is passed over."""
        found = {}
        file = self._state / f"{world}.jsonl"
        for line in file.read_text().splitlines() if file.exists() else []:
            try:
                record = json.loads(line)
                found[record["stamp"]] = record
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def measured(self, world: str, record: dict[str, Any]) -> None:
        """Keep a measurement; it must carry its `stamp`."""
        # The newline in front ends a line that a killed run left unfinished.
        with (self._state / f"{world}.jsonl").open("a") as file:
            file.write("\n" + json.dumps(record, sort_keys=True) + "\n")

    def picture(self, size: int, world: str, name: str) -> Path:
        """Where a picture lies."""
        return self.folder / str(size) / world / f"{name}.png"

    def sweep(self, expected: set[Path]) -> None:
        """Delete pictures that an earlier run made and that are not among `expected`; others' files stay."""
        for file in self.folder.glob("[0-9]*/*/*.png"):
            if file not in expected and recipe_of(file) is not None:
                file.unlink()
        for folder in [*self.folder.glob("[0-9]*/*/"), *self.folder.glob("[0-9]*/")]:
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()


def write(path: Path, data: bytes) -> None:
    """Write a file so that whoever looks sees the old one or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        half.write_bytes(data)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def write_picture(path: Path, picture: Image.Image, recipe: str) -> None:
    """Write a PNG that carries its recipe."""
    text = PngImagePlugin.PngInfo()
    text.add_text(_KEY, recipe)
    out = io.BytesIO()
    picture.save(out, "PNG", pnginfo=text)
    write(path, out.getvalue())


def recipe_of(path: Path) -> str | None:
    """The recipe of a PNG that `write_picture` wrote; None for any other file, or none."""
    try:
        with Image.open(path, formats=("PNG",)) as opened:
            recipe = opened.info.get(_KEY)
    except (OSError, ValueError, SyntaxError):
        return None
    return recipe if isinstance(recipe, str) else None
