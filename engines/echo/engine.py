"""The diagnostic engine: time passes, a checkpoint is kept, the text comes back."""

import time
from collections.abc import Iterator, Sequence

from engines.base import BatchItem, Context, Interrupted, Output
from engines.echo.spec import EchoParams

STEP_SECONDS = 0.1


class Engine:
    """Sleeps in steps, so that it can be canceled, given back and resumed like a real engine."""

    device = "cpu"

    def setup(self) -> None:
        """There is nothing to load."""

    def run(self, params: EchoParams, context: Context) -> Iterator[Output]:
        """Sleep what is left of `params.seconds`, then give the text back."""
        done = float(context.restore() or 0)
        while done < params.seconds:
            context.progress(done / params.seconds, "sleeping", state=str(done).encode)
            time.sleep(min(STEP_SECONDS, params.seconds - done))
            done += STEP_SECONDS
        yield from _results(params)

    def run_batch(self, items: Sequence[BatchItem]) -> Iterator[tuple[int, Output]]:
        """Sleep as long as the longest of them, and give each its text back when its own time is over."""
        waiting = dict(enumerate(items))
        done = 0.0
        while waiting:
            for index, (params, context) in list(waiting.items()):
                if done >= params.seconds:
                    del waiting[index]
                    yield from ((index, result) for result in _results(params))
                    continue
                try:
                    context.progress(done / params.seconds, "sleeping", state=str(done).encode)
                except Interrupted:
                    del waiting[index]
            if waiting:
                time.sleep(STEP_SECONDS)
                done += STEP_SECONDS


def _results(params: EchoParams) -> Iterator[Output]:
    if params.text:
        yield Output("echo.txt", "text/plain", f"{params.text}\n".encode(), meta={"seed": params.seed})
