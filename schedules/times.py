"""Cron text and a time zone: which moments they mean.

The text is read by cronsim as Debian's cron reads it, and only on a clock that is never changed: what a
change of a zone's clock does is decided here, so that one rule holds for every text and every zone.

- A time of day that does not exist is the moment at which the clock was changed.
- A time of day that exists twice is the first of both. Where the text names no hours (`*/15 * * * *`) it is
  both: what happens four times an hour does so in that hour too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from jobs.errors import BadSchedule

#: More often is a loop, for which a program that waits for each job is the better tool: a hundred schedules
#: of one owner make 20 jobs a minute at this pace already, and one sweeper fires everybody's.
MOST_OFTEN_MINUTES = 5
MAX_CRON = 100
MAX_ZONE = 64

#: Minute, hour, day of the month, month, day of the week. cronsim would take seconds before them.
_FIELDS = 5
_ANY_HOUR = "*"
#: Any day on which no clock is changed.
_SOME_DAY = datetime(2026, 1, 1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Times:
    """When something is to happen again and again. `times` makes it."""

    cron: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime | None:
        """The first of its moments that is later than this one; None: there is none for 50 years."""
        best: datetime | None = None
        for local in self._locals(moment):
            first, second = _moments(local, self.zone)
            # Nor is anything that a later time of day means earlier.
            if best is not None and first >= best:
                break
            meant = [first, second] if self._any_hour else [first]
            best = min((one for one in (best, *meant) if one is not None and one > moment), default=None)
        return best

    def upcoming(self, moment: datetime, count: int) -> list[datetime]:
        """The next ones after this moment, at most so many."""
        return list(islice(self._from(moment), count))

    def latest(self, first: datetime, until: datetime) -> datetime:
        """The last of its moments up to `until`; `first` is one of them, years ago perhaps."""
        back = timedelta(hours=1)
        while until - back > first:
            if (found := self._last(until - back, until)) is not None:
                return found
            back *= 8
        return self._last(first, until) or first

    def _last(self, moment: datetime, until: datetime) -> datetime | None:
        found = deque(takewhile(lambda one: one <= until, self._from(moment)), maxlen=1)
        return found[0] if found else None

    def _from(self, moment: datetime) -> Iterator[datetime]:
        found = self.after(moment)
        while found is not None:
            yield found
            found = self.after(found)

    def _locals(self, moment: datetime) -> Iterator[datetime]:
        """The times of day that the text names, from those on that may mean a later moment."""
        local = moment.astimezone(self.zone).replace(tzinfo=None, fold=0)
        if self._any_hour:
            # In the first of two hours with one name: those that have passed come once more.
            first, second = _moments(local, self.zone)
            local -= second - first
        yield from CronSim(self.cron, local - _SECOND)

    @property
    def _any_hour(self) -> bool:
        return self.cron.split()[1] == _ANY_HOUR


def times(cron: str, zone: str) -> Times:
    """What this cron text means in this time zone. Raises BadSchedule, naming the one that is wrong."""
    made = Times(" ".join(cron.split()), _zone(zone))
    if len(cron) > MAX_CRON or len(made.cron.split()) != _FIELDS:
        raise _refused(
            "cron", "Give five fields: minute, hour, day of the month, month, day of the week.", "bad_cron"
        )
    try:
        read = CronSim(made.cron, _SOME_DAY)
    except CronSimError as error:
        raise _refused("cron", f"{error} in this cron text.", "bad_cron") from error
    if _closest(read) < MOST_OFTEN_MINUTES:
        raise _refused("cron", f"At most every {MOST_OFTEN_MINUTES} minutes, please.", "too_often")
    if next(read, None) is None:
        raise _refused("cron", "There is no such day within 50 years.", "never")
    return made


def _closest(read: CronSim) -> int:
    """The fewest minutes between two of its times of day."""
    minutes = sorted(read.minutes)
    gaps = [later - sooner for sooner, later in pairwise(minutes)]
    if any((hour + 1) % 24 in read.hours for hour in read.hours):
        gaps.append(60 + minutes[0] - minutes[-1])
    return min(gaps, default=60)


@cache
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(name: str) -> ZoneInfo:
    if name in _names():
        return ZoneInfo(name)
    near = get_close_matches(name[:MAX_ZONE], _names(), n=1, cutoff=0.7)
    meant = f" Did you mean {near[0]}?" if near else " Give one as Europe/Berlin or UTC."
    raise _refused("zone", f"There is no such time zone.{meant}", "unknown_zone")


def _moments(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first and the second moment at which clocks there show this; mostly they are one."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if second < first:  # PEP 495: they never do
        changed = _change(zone, second, first)
        return changed, changed
    return first, second


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The moment between these two at which the clock there is changed."""
    old = before.astimezone(zone).utcoffset()
    while (seconds := int((after - before).total_seconds())) > 1:
        middle = before + timedelta(seconds=seconds // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def _refused(field: str, message: str, code: str) -> BadSchedule:
    return BadSchedule(errors=[{"field": field, "message": message, "code": code}])
