"""The command line of `prepare.py`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from PIL import ImageColor

from training.planets.preparing.cut_disc import FRAMINGS
from training.planets.preparing.measuring import Settings


def parse(argv: list[str] | None, description: str) -> argparse.Namespace:
    """Read a command line (the process's own when None); SystemExit(2) for a wrong one."""
    return _parser(description).parse_args(argv)


def settings_of(options: argparse.Namespace) -> Settings:
    """The part of the options that decides the result."""
    return Settings(
        tuple(sorted(set(options.sizes))),
        options.framing,
        options.margin,
        options.blur,
        options.duplicate,
        options.captions,
        options.least,
        round(options.max_megapixels * 1e6),
    )


def _parser(description: str) -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
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
        "auto: keep for square pictures that the body fills for the most part, else fill for balls and world "
        "for other shapes (auto)",
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


def _number(low: float, high: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and low <= value <= high):
            raise argparse.ArgumentTypeError(f"{text} is not within {low} to {high}")
        return value

    return number


def _whole(low: int, high: int) -> Callable[[str], int]:
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
