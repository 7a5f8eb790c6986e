"""Where the numbers of a run go: log.jsonl always, TensorBoard's files where it is installed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

try:
    from torch.utils.tensorboard import SummaryWriter
except ImportError:  # the extra "train" brings it
    SummaryWriter = None  # type: ignore[assignment,misc]  # no type is wanted of what is not there


class Writers:
    """Both, as one context."""

    def __init__(self, folder: Path) -> None:
        self._board = SummaryWriter(str(folder / "tensorboard")) if SummaryWriter is not None else None
        self._lines = (folder / "log.jsonl").open("a")

    def write(self, images: int, values: Mapping[str, float]) -> None:
        """Numbers at a point of training, counted in pictures shown."""
        self._lines.write(json.dumps({"images": images, **values}) + "\n")
        self._lines.flush()
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, images)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        if self._board is not None:
            self._board.close()
