"""What a job takes, from what such jobs took: seconds = constant + slope x `Job.cost`, for each device.

Few jobs say little, and the first ones say it badly: a tiny one shows only what starting and storing take, a
cold one pays for the loading of a model. So the line begins as a guess (a constant of a tenth of a second and
a slope of 1, for a cost is about the seconds of one core) which is held loosely and gives way to what was
measured. All is compared by ratio, so that a job of a second counts as much as one of an hour. What is far
off (a cold start, a machine that stood still) pulls no harder than what is a little off.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobs.store import Ran

#: Seconds that nobody minds: jobs that end sooner differ by what the machine happens to do.
_BLUR = 0.05
#: By how much equal jobs differ, as the logarithm of a ratio.
_NOISE = 0.15
#: So many jobs later a job counts half: machines become busy and idle, and are replaced.
_HALVED = 20.0
#: The first guess of the constant, in seconds, and how far it may be off (likewise).
_CONSTANT, _CONSTANT_OFF = 0.1, math.log(4.0)
#: Of the slope: on a processor, and on a device of which only is known that it is faster.
_SLOPE, _SLOPE_OFF = 1.0, math.log(2.0)
_FAST_SLOPE, _FAST_SLOPE_OFF = 0.1, math.log(6.0)

_MOST_STEPS = 60
_SMALL_STEP = 1e-4


@dataclass(frozen=True)
class Line:
    """Seconds by cost; both above 0, so that more work always takes longer."""

    constant: float
    slope: float

    def seconds(self, cost: float, jobs: int = 1) -> float:
        """Of so many jobs that cost so much together."""
        return self.constant * jobs + self.slope * cost


@dataclass(frozen=True)
class _Device:
    #: From start to end of a job.
    run: Line
    #: Its share, where it ran together with others.
    share: Line


class Speed:
    """What an engine's jobs take, by device."""

    def __init__(self, ran: Sequence[Ran]) -> None:
        """`ran`: what they took lately, one at least, the newest first."""
        by_device: dict[str | None, list[Ran]] = {}
        for one in ran:
            by_device.setdefault(one.device, []).append(one)
        self._devices = {device: _of(device, found) for device, found in by_device.items()}
        self._usual = sum(one.cost for one in ran) / len(ran)

    def run_seconds(self, cost: float, devices: Iterable[str | None] = ()) -> float:
        """From start to end, by one of the workers with these devices."""
        return _mean(device.run.seconds(cost) for device in self._among(devices))

    def device_seconds(self, cost: float, devices: Iterable[str | None] = (), jobs: int = 1) -> float:
        """Of a device, for so many jobs that cost so much together."""
        return _mean(device.share.seconds(cost, jobs) for device in self._among(devices))

    def usual_seconds(self, devices: Iterable[str | None] = ()) -> float:
        """Of a device, for a job as they were lately."""
        return self.device_seconds(self._usual, devices)

    def _among(self, devices: Iterable[str | None]) -> list[_Device]:
        """One for each worker; all that were measured where none of the workers' was.

        A worker's device may not be the engine's: some compute on the processor wherever they run.
        """
        found = [self._devices[device] for device in devices if device in self._devices]
        return found or list(self._devices.values())


def _of(device: str | None, ran: Sequence[Ran]) -> _Device:
    run = fitted([(one.cost, one.run_seconds) for one in ran], device)
    if all(one.run_seconds == one.device_seconds for one in ran):
        return _Device(run, run)
    return _Device(run, fitted([(one.cost, one.device_seconds) for one in ran], device))


def _mean(seconds: Iterable[float]) -> float:
    """The harmonic one: of workers that all take what comes, faster ones take more of it."""
    each = list(seconds)
    return len(each) / sum(1.0 / max(one, 1e-9) for one in each)


@dataclass
class _Guess:
    """A logarithm that is held loosely to its first value."""

    value: float
    first: float
    off: float

    def pull(self) -> tuple[float, float]:
        """(curvature, gradient) of what it costs to be off."""
        away = (self.value - self.first) / self.off
        curvature = _weight(away) / self.off**2
        return curvature, curvature * (self.value - self.first)

    def move(self, step: float) -> float:
        """By one at most. How far it went."""
        step = min(max(step, -1.0), 1.0)
        self.value += step
        return abs(step)


def fitted(measured: Sequence[tuple[float, float]], device: str | None = None) -> Line:
    """The line through (cost, seconds), the newest job first.

    Least squares of logarithms with Huber's weights, by Gauss and Newton. Neither a large nor a small job can
    bend it by itself: in logarithms no point's leverage is above 1.
    """
    on_processor = device is None or device.startswith("cpu")
    slope, off = (_SLOPE, _SLOPE_OFF) if on_processor else (_FAST_SLOPE, _FAST_SLOPE_OFF)
    a = _Guess(math.log(_CONSTANT), math.log(_CONSTANT), _CONSTANT_OFF)
    b = _Guess(math.log(slope), math.log(slope), off)
    goals = [
        (cost, math.log(max(seconds, 0.0) + _BLUR), 0.5 ** (age / _HALVED) / _NOISE**2)
        for age, (cost, seconds) in enumerate(measured)
    ]
    for _ in range(_MOST_STEPS):
        aa, ga = a.pull()
        bb, gb = b.pull()
        ab = 0.0
        constant, slope = math.exp(a.value), math.exp(b.value)
        for cost, goal, counts in goals:
            told = constant + slope * cost + _BLUR
            off_by = math.log(told) - goal
            weight = _weight(off_by / _NOISE) * counts
            by_a, by_b = constant / told, slope * cost / told
            aa += weight * by_a * by_a
            ab += weight * by_a * by_b
            bb += weight * by_b * by_b
            ga += weight * by_a * off_by
            gb += weight * by_b * off_by
        whole = aa * bb - ab * ab
        moved = a.move((ab * gb - bb * ga) / whole) + b.move((ab * ga - aa * gb) / whole)
        if moved < _SMALL_STEP:
            break
    return Line(math.exp(a.value), math.exp(b.value))


def _weight(deviations: float) -> float:
    """Huber's: beyond one deviation the pull stays the same."""
    return 1.0 if abs(deviations) <= 1.0 else 1.0 / abs(deviations)
