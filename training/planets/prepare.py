"""Turn a folder of screenshots or photographs of planets into training pictures.

Finds the disc in each picture (a ball, an ellipsoid, or one with a dark side), cuts a square around it, makes
everything outside transparent, scales it to each size, and leaves out what is damaged, covered, blurred or
there twice. SOURCE holds a folder of pictures for each world, or the pictures of one world.

    python -m training.planets.prepare screenshots prepared
    python -m training.planets.prepare photos prepared --world titan --sizes 64 128

Writes OUT/<size>/<world>/000.png ... (RGBA; alpha is the disc), OUT/contact/<world>.jpg to look at, and
OUT/manifest.json, which says for each source file what became of it. Interrupted, run it again: it goes on.
Exits with 1 when no picture could be used, with 2 for a wrong command line, with 130 after Ctrl-C.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.base import BadInput
from training.planets.preparing import manifest, measuring, selection, sources
from training.planets.preparing import options as prepare_options
from training.planets.preparing.contact_sheet import sheet
from training.planets.preparing.cut_disc import cut
from training.planets.preparing.measuring import Measured, Settings
from training.planets.preparing.prepared import Busy, Changed, Prepared, recipe_of, write, write_picture

#: Changes when the same picture and settings give something else, so that old results are not gone on with.
VERSION = 2


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = prepare_options.parse(argv, __doc__ or "")
    settings = prepare_options.settings_of(options)
    source, out = options.source, options.out
    try:
        worlds = sources.collect(source, options.world)
        if out.resolve() == source.resolve() or source.resolve() in out.resolve().parents:
            raise sources.BadSource(f"{out} lies in {source}; its pictures would be read again")
        if out.exists() and not out.is_dir():
            raise sources.BadSource(f"{out} is not a folder")
        prepared = Prepared(out)
        with prepared.locked():
            prepared.begin({**settings.record(), "version": VERSION}, options.force)
            made = _run(worlds, prepared, settings, options.background)
    except (sources.BadSource, Busy) as error:
        return _fail(2, f"error: {error}")
    except Changed as error:
        return _fail(2, f"{out} was made with other settings ({error}); --force starts over")
    except KeyboardInterrupt:
        return _fail(130, "interrupted; run it again to go on")
    except OSError as error:
        return _fail(1, f"error: {error}")
    print("\n".join(manifest.lines(made)))
    if not manifest.kept(made):
        return _fail(1, "no picture could be used")
    print(f"{manifest.kept(made)} pictures in {out}")
    return 0


def _fail(status: int, message: str) -> int:
    print(message, file=sys.stderr)
    return status


def _run(
    worlds: dict[str, list[Path]], prepared: Prepared, settings: Settings, background: str
) -> dict[str, Any]:
    """Measure, decide and write every world; the manifest, which is written too."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    total = sum(len(files) for files in worlds.values())
    made: dict[str, Any] = {"version": VERSION, "settings": settings.record(), "worlds": {}}
    expected: set[Path] = set()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        looking = progress.add_task("looking", total=total)
        writing = progress.add_task("writing", total=total)
        for world, files in worlds.items():
            progress.update(looking, description=f"looking at {world}")
            known = prepared.measurements(world)
            measured = []
            for file in files:
                measured.append(_measured(file, world, known, prepared, settings))
                progress.advance(looking)
            selection.decide(measured, settings)
            progress.update(writing, description=f"writing {world}")
            for one in measured:
                if one.name is not None:
                    expected |= _written(one, world, prepared, settings)
                progress.advance(writing)
            made["worlds"][world] = manifest.world_record(world, measured, settings)
            _contact(world, measured, prepared, settings, background)
    prepared.sweep(expected)
    for old in (prepared.folder / "contact").glob("*.jpg"):
        if old.stem not in worlds:
            old.unlink()
    write(prepared.folder / "manifest.json", (json.dumps(made, indent=1, sort_keys=True) + "\n").encode())
    return made


def _measured(
    file: Path, world: str, known: dict[str, dict[str, Any]], prepared: Prepared, settings: Settings
) -> Measured:
    key = measuring.stamp(file)
    if key in known:
        return measuring.of_record(file, known[key])
    found = measuring.measure(file, settings.max_pixels)
    prepared.measured(world, {"stamp": key, **measuring.to_record(found)})
    return found


def _written(one: Measured, world: str, prepared: Prepared, settings: Settings) -> set[Path]:
    """Write what is missing of one kept picture; where its files are."""
    if one.disc is None or one.frame is None or one.name is None:
        raise ValueError(f"{one.path} was not decided on")
    paths = {size: prepared.picture(size, world, one.name) for size in settings.sizes}
    made_of = json.dumps([VERSION, one.sha256, asdict(one.disc), asdict(one.frame), settings.sizes[-1]])
    recipe = hashlib.sha256(made_of.encode()).hexdigest()
    missing = [size for size, path in paths.items() if recipe_of(path) != recipe]
    if missing:
        image = sources.read(one.path, settings.max_pixels)
        pictures = cut(image, one.disc, one.frame, settings.sizes)
        for size in missing:
            write_picture(paths[size], pictures[size], recipe)
    return set(paths.values())


def _contact(
    world: str, measured: list[Measured], prepared: Prepared, settings: Settings, background: str
) -> None:
    """Write a world's contact sheet: the kept ones, then those left out with the reason."""
    tile = min((size for size in settings.sizes if size >= 112), default=settings.sizes[-1])
    tiles = []
    for one in measured:
        if one.name is not None:
            with Image.open(prepared.picture(tile, world, one.name), formats=("PNG",)) as opened:
                tiles.append((opened.convert("RGBA"), one.name))
    for one in measured:
        if one.reason is not None and one.size != (0, 0):
            try:
                image = sources.read(one.path, settings.max_pixels)
            except BadInput:
                continue  # changed since it was measured
            image.thumbnail((tile, tile))
            tiles.append((image, f"{one.path.stem}: {one.reason}"))
    path = prepared.folder / "contact" / f"{world}.jpg"
    if not tiles:
        path.unlink(missing_ok=True)
        return
    out = io.BytesIO()
    sheet(tiles, background=background).save(out, "JPEG", quality=90)
    write(path, out.getvalue())


if __name__ == "__main__":
    sys.exit(main())
