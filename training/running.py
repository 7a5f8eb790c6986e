"""What every training script needs around its steps: a way to stop, a bar, the machine's options."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Recipe = TypeVar("Recipe", bound="DataclassInstance")


class Stop:
    """SIGINT and SIGTERM end the run after the step that is under way, with a checkpoint."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: Any) -> None:
        self.asked = True
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once


def halved(precision: str, device: torch.device) -> bool:
    """Whether in bfloat16; "auto": where it is faster, on recent GPUs and on CPUs with units for it."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and torch.cpu._is_amx_tile_supported()


def progress_bar(console: Console) -> Progress:
    """What was done, how long it took, how long it will."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def command_line(description: str | None) -> argparse.ArgumentParser:
    """What every trainer of planets asks for: the pictures and the folder of the run."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="the folder prepare.py wrote")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="where the run lives; made when absent"
    )
    return parser


def recipe_from(recipe: type[Recipe], options: argparse.Namespace) -> Recipe:
    """Each of its fields is an option of the same name."""
    return recipe(**{field.name: getattr(options, field.name) for field in fields(recipe)})


def resumed(restore: Callable[[Path], dict[str, Any]], checkpoint: Path) -> dict[str, Any] | None:
    """What the checkpoint says of the run so far; None: it begins. Raises ValueError, with advice."""
    if not checkpoint.is_file():
        return None
    try:
        return restore(checkpoint)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"{error} (choose another --out, or the same settings)") from error


def add_machine_options(parser: argparse.ArgumentParser, ships: str) -> None:
    """--device, --precision, --threads, --ship (into the folder `ships`) and --pictures-note."""
    add = parser.add_argument
    add("--device", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")
    add("--precision", choices=("auto", "float32", "bf16"), default="auto", help="of the convolutions")
    add("--threads", type=int, default=torch.get_num_threads(), help="CPU threads (default: %(default)s)")
    add("--ship", action="store_true", help=f"enter the weights into {ships}")
    add("--pictures-note", default="", help="with --ship: what the pictures are, for the register")
