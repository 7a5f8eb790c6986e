"""What every training script needs around its steps: a way to stop, a bar, the machine's options."""

from __future__ import annotations

import argparse
import signal
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


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


def add_machine_options(parser: argparse.ArgumentParser, ships: str) -> None:
    """--device, --precision, --threads, --ship (into the folder `ships`) and --pictures-note."""
    add = parser.add_argument
    add("--device", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")
    add("--precision", choices=("auto", "float32", "bf16"), default="auto", help="of the convolutions")
    add("--threads", type=int, default=torch.get_num_threads(), help="CPU threads (default: %(default)s)")
    add("--ship", action="store_true", help=f"enter the weights into {ships}")
    add("--pictures-note", default="", help="with --ship: what the pictures are, for the register")
