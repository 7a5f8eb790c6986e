"""Turn a folder of screenshots or photographs of planets into training pictures.

Finds the disc in each picture (a ball, an ellipsoid, or one with a dark side), cuts a square around it, makes
everything outside transparent, scales it to each size, and leaves out what is damaged, covered, blurred or
there twice. SOURCE holds a folder of pictures for each world, or the pictures of one world.

    python scripts/planets/prepare.py screenshots prepared
    python scripts/planets/prepare.py photos prepared --world titan --sizes 64 128

Writes OUT/<size>/<world>/000.png ... (RGBA; alpha is the disc), OUT/contact/<world>.jpg to look at, and
OUT/manifest.json, which says for each source file what became of it. Interrupted, run it again: it goes on.
Exits with 1 when no picture could be used, with 2 for a wrong command line, with 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: E402

from engines.base import BadInput  # noqa: E402
from scripts.planets import selection, sources  # noqa: E402
from scripts.planets.contact_sheet import sheet  # noqa: E402
from scripts.planets.cut_disc import FRAMINGS, cut  # noqa: E402
from scripts.planets.prepared import Busy, Changed, Prepared, recipe_of, write, write_picture  # noqa: E402
from scripts.planets.selection import Measured, Settings  # noqa: E402

#: Changes when the same picture and settings give something else, so that old results are not gone on with.
VERSION = 1


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    options = _parser().parse_args(argv)
    settings = Settings(
        tuple(sorted(set(options.sizes))),
        options.framing,
        options.margin,
        options.blur,
        options.duplicate,
        options.captions,
        options.least,
        round(options.max_megapixels * 1e6),
    )
    console = Console(stderr=True)
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
            manifest = _run(worlds, prepared, settings, options.background, console)
    except (sources.BadSource, Busy) as error:
        console.print(f"[red]error:[/] {error}", highlight=False)
        return 2
    except Changed as error:
        console.print(f"{out} was made with other settings ({error}); --force starts over", highlight=False)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; run it again to go on")
        return 130
    except OSError as error:
        console.print(f"[red]error:[/] {error}", highlight=False)
        return 1
    return _tell(manifest, out)


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="SOURCE/<world>/* or pictures of one world"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to fill; not within SOURCE")
    parser.add_argument("--world", help="name of the world of a flat folder (its own name)")
    parser.add_argument(
        "--sizes",
        type=_size,
        nargs="+",
        default=list(defaults.sizes),
        metavar="PIXELS",
        help="(64 128 256 512)",
    )
    parser.add_argument(
        "--framing",
        choices=FRAMINGS,
        default=defaults.framing,
        help="keep: the picture's own scale. fill: every disc fills its frame. world: one scale for a world. "
        "auto: keep for square pictures that the body fills for the most part, else world (auto)",
    )
    parser.add_argument(
        "--margin",
        type=_number(0, 1),
        default=defaults.margin,
        metavar="PART",
        help="room on each side where a frame is made to fit, as a part of the long axis (%(default)s)",
    )
    parser.add_argument(
        "--blur",
        type=_number(0, 1),
        default=defaults.blur,
        metavar="PART",
        help="leave out pictures less sharp than this part of their world's median; 0: none (%(default)s)",
    )
    parser.add_argument(
        "--duplicate",
        type=_number(0, 255),
        default=defaults.duplicate,
        metavar="LEVELS",
        help="leave out a picture that differs from another of its world by less; 0: none (%(default)s)",
    )
    parser.add_argument(
        "--captions",
        choices=("drop", "keep"),
        default=defaults.captions,
        help="pictures with a caption across the body; captions beside it never matter (%(default)s)",
    )
    parser.add_argument(
        "--least",
        type=_whole(8, 100_000),
        default=defaults.least,
        metavar="PIXELS",
        help="leave out smaller bodies (%(default)s)",
    )
    parser.add_argument(
        "--max-megapixels",
        type=_number(0.01, 170),
        default=defaults.max_pixels / 1e6,
        metavar="N",
        help="leave out larger pictures without decoding them (%(default).0f)",
    )
    parser.add_argument(
        "--background",
        type=_colour,
        default="#20242c",
        metavar="COLOUR",
        help="of the contact sheets (%(default)s)",
    )
    parser.add_argument(
        "--force", action="store_true", help="start over, also with other settings than before"
    )
    return parser


def _number(low: float, high: float) -> Any:
    def number(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and low <= value <= high):
            raise argparse.ArgumentTypeError(f"{text} is not within {low} to {high}")
        return value

    return number


def _whole(low: int, high: int) -> Any:
    def whole(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not within {low} to {high}")
        return value

    return whole


_size = _whole(8, 4096)


def _colour(text: str) -> str:
    try:
        ImageColor.getrgb(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _run(
    worlds: dict[str, list[Path]], prepared: Prepared, settings: Settings, background: str, console: Console
) -> dict[str, Any]:
    """Measure, decide and write every world; the manifest, which is written too."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    total = sum(len(files) for files in worlds.values())
    manifest: dict[str, Any] = {"version": VERSION, "settings": settings.record(), "worlds": {}}
    expected: set[Path] = set()
    with Progress(*columns, console=console) as progress:
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
            manifest["worlds"][world] = _told(world, measured, settings)
            _contact(world, measured, prepared, settings, background)
    prepared.sweep(expected)
    for old in (prepared.folder / "contact").glob("*.jpg"):
        if old.stem not in worlds:
            old.unlink()
    write(prepared.folder / "manifest.json", (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode())
    return manifest


def _measured(
    file: Path, world: str, known: dict[str, dict[str, Any]], prepared: Prepared, settings: Settings
) -> Measured:
    key = selection.stamp(file)
    if key in known:
        return selection.of_record(file, known[key])
    found = selection.measure(file, settings.max_pixels)
    prepared.measured(world, {"stamp": key, **selection.to_record(found)})
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


def _told(world: str, measured: list[Measured], settings: Settings) -> dict[str, Any]:
    """A world's part of the manifest."""
    pictures = []
    for one in measured:
        disc = one.disc
        entry: dict[str, Any] = {
            "source": one.path.name,
            "sha256": one.sha256,
            "size": list(one.size),
            "kept": one.name is not None,
            "reason": one.reason,
            "disc": None,
        }
        if disc is not None:
            entry["disc"] = {
                "x": round(disc.x, 2),
                "y": round(disc.y, 2),
                "semi_axes": [round(disc.major, 2), round(disc.minor, 2)],
                "angle_degrees": round(math.degrees(disc.angle), 2),
                "outline_seen": round(disc.support, 3),
                "from": "the world's other pictures" if one.agreed else "this picture",
            }
        if one.look is not None:
            entry["sharpness"] = round(one.look.sharpness, 6)
        if one.name is not None and one.frame is not None:
            entry["name"] = one.name
            entry["frame"] = {name: round(value, 2) for name, value in asdict(one.frame).items()}
            entry["enlarged"] = [size for size in settings.sizes if size > one.frame.side]
            entry["files"] = [f"{size}/{world}/{one.name}.png" for size in settings.sizes]
        pictures.append(entry)
    kept = sum(entry["kept"] for entry in pictures)
    return {"kept": kept, "left_out": len(pictures) - kept, "pictures": pictures}


def _contact(
    world: str, measured: list[Measured], prepared: Prepared, settings: Settings, background: str
) -> None:
    """Write a world's contact sheet: the kept ones, then those left out with the reason."""
    tile = min((size for size in settings.sizes if size >= 112), default=settings.sizes[-1])
    tiles = []
    for one in measured:
        if one.name is not None:
            with Image.open(prepared.picture(tile, world, one.name)) as opened:
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


def _tell(manifest: dict[str, Any], out: Path) -> int:
    """Print what became of each world; the exit status."""
    for world, told in manifest["worlds"].items():
        print(f"{world}: {told['kept']} pictures, {told['left_out']} left out")
        reasons = Counter(entry["reason"] for entry in told["pictures"] if entry["reason"])
        for entry in told["pictures"]:
            if entry["reason"] and reasons[entry["reason"]] <= 5:
                print(f"  {entry['source']}: {entry['reason']}")
        for reason, count in reasons.items():
            if count > 5:
                print(f"  {count} files: {reason}")
    kept = sum(told["kept"] for told in manifest["worlds"].values())
    if not kept:
        print("no picture could be used", file=sys.stderr)
        return 1
    print(f"{kept} pictures in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
