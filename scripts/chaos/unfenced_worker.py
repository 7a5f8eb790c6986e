"""A worker without a fence, for `--ablate fence`: it writes whatever attempt is the present one.

Each of its writes names the attempt that the row has just then, as in a system whose only guard is "the
job is running". A worker that was frozen past its lease then goes on writing into its successor's attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

from jobs.store import JobStore, Success
from workers.__main__ import main


def _unfenced(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: JobStore, job_id: str, _attempt: int, *args: Any, **kwargs: Any) -> Any:
        return method(self, job_id, self.get(job_id).attempt, *args, **kwargs)

    return call


def _unfenced_together(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: JobStore, successes: Sequence[Success], **kwargs: Any) -> Any:
        present = [replace(one, attempt=self.get(one.job_id).attempt) for one in successes]
        return method(self, present, **kwargs)

    return call


def _unfenced_with_claim(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: JobStore, success: Success, *args: Any, **kwargs: Any) -> Any:
        return method(self, replace(success, attempt=self.get(success.job_id).attempt), *args, **kwargs)

    return call


# At import, for the pool's child: it is spawned, and imports its parent's main module and nothing else of it.
for _name in (
    "beat",
    "cancel_requested",
    "save_checkpoint",
    "fail",
    "end_canceled",
    "retry_later",
    "release",
):
    setattr(JobStore, _name, _unfenced(getattr(JobStore, _name)))
JobStore.succeed_together = _unfenced_together(JobStore.succeed_together)  # type: ignore[method-assign]
JobStore.succeed_and_claim = _unfenced_with_claim(JobStore.succeed_and_claim)  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
