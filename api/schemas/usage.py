"""What jobs used."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from accept.wire import Wire
from jobs.states import State


class UsageLine(Wire):
    """One owner's jobs of one engine that ended on one day."""

    day: date = Field(description="UTC.")
    owner_id: str
    engine: str
    device: Literal["gpu", "cpu"]
    state: State
    jobs: int
    queue_seconds: float
    run_seconds: float
    device_seconds: float = Field(description="What is to be charged.")


class UsageReport(Wire):
    """Oldest day first. Deleted jobs count too."""

    first: date
    last: date
    lines: list[UsageLine]
    jobs: int
    gpu_seconds: float
    cpu_seconds: float
