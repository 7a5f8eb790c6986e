"""What the clients want, drawn from the seed; and what each of them knows of what it was promised."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from jobs.pace import paced

#: Who submits. The last one may have two jobs running at once.
OWNERS = ("ada", "bob", "cyd", "dan", "eve")
CAPPED = "eve"
#: (weight, least, most) seconds of work. The long ones outlast a lease: they meet the frozen workers.
_WORK = ((60, 0.1, 0.8), (28, 0.8, 2.0), (9, 2.0, 5.0), (3, paced(14.0), paced(20.0)))
#: What single jobs' webhooks ask for.
EVENTS = ("queued", "started", "succeeded", "failed", "canceled")


@dataclass
class Order:
    """One job as its client sees it."""

    number: int
    owner: str
    #: Which of the owner's keys it is sent with.
    key: int
    seconds: float
    priority: str
    together: bool
    webhook: bool
    #: Seconds after its acceptance; None: never.
    cancel_after: float | None
    #: Sent once more with the same key, as by a client that forgot that it had an answer.
    again_after: float | None
    #: A chain of so many stages that end beside each other, after a first one; 0: one plain job.
    chain: int = 0
    #: The job it was promised.
    job_id: str | None = None
    #: Answers that never came; each was followed by the same request again.
    unanswered: int = 0
    #: When the cancel was answered, by the machine's clock, and the state it was answered with.
    canceled_at: float | None = None
    canceled_as: str | None = None
    #: Answers that break a promise at once.
    wrong: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What the job has to give back."""
        return f"order {self.number} of {self.owner}"

    @property
    def idempotency_key(self) -> str:
        """The client's own name for it."""
        return f"order-{self.number}"

    def body(self, receiver: str) -> dict[str, Any]:
        """The request. `receiver` is where webhooks go."""
        params = {"text": self.text, "seconds": self.seconds, "together": self.together}
        wanted: dict[str, Any] = {"engine": "echo", "params": params, "priority": self.priority}
        if self.chain:
            wanted |= {"engine": "pipeline", "params": {"stages": self._stages(params)}}
        if self.webhook:
            wanted["webhook"] = {"url": f"{receiver}/{self.owner}", "events": list(EVENTS)}
        return wanted

    def _stages(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        """One job, and then so many that give back what it gave."""
        first = {"name": "first", "engine": "echo", "params": params}
        later = params | {"text": "@first", "seconds": min(self.seconds, 1.0)}
        return [first, *({"name": f"end-{n}", "engine": "echo", "params": later} for n in range(self.chain))]

    @property
    def results(self) -> int:
        """How many files it is to give when it succeeds."""
        return max(self.chain, 1)


def draw(rng: random.Random) -> Iterator[Order]:
    """Orders without end."""
    number = 0
    while True:
        _, least, most = rng.choices(_WORK, [work[0] for work in _WORK])[0]
        number += 1
        yield Order(
            number=number,
            owner=rng.choices(OWNERS, [5, 3, 2, 2, 2])[0],
            key=rng.randrange(2),
            seconds=round(rng.uniform(least, most), 2),
            priority=rng.choices(["low", "normal", "high"], [2, 6, 2])[0],
            together=rng.random() < 0.2,
            webhook=rng.random() < 0.25,
            cancel_after=rng.choice([0.0, rng.uniform(0, 3), rng.uniform(0, 3)])
            if rng.random() < 0.12
            else None,
            again_after=rng.uniform(0, 10) if rng.random() < 0.1 else None,
            chain=rng.choice([1, 2, 5]) if rng.random() < 0.12 else 0,
        )
