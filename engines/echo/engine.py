"""The diagnostic engine: time passes, a checkpoint is kept, the text comes back."""

import time
from collections.abc import Iterator

from engines.base import Context, Output
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
        if params.text:
            yield Output("echo.txt", "text/plain", f"{params.text}\n".encode(), meta={"seed": params.seed})
