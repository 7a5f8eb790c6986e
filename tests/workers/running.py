"""What tests of running jobs share: engines that do little, and services that are away."""

from __future__ import annotations

import threading
import time

from engines.base import Output

TEXT = Output("a.txt", "text/plain", b"result", meta={"n": 1})


def one(_params, _context):
    yield TEXT


def read(bench, key):
    with bench.storage.open(key) as stream:
        return stream.read()


def steps(count, pause=0.05):
    def script(_params, context):
        for step in range(count):
            context.progress(step / count, f"step {step}", state=str(step).encode)
            time.sleep(pause)
        yield TEXT

    return script


def in_background(made):
    thread = threading.Thread(target=made.runner.work)
    thread.start()
    return thread


def until(condition, seconds=30.0):
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "did not come true in time"
        time.sleep(0.02)


class Away:
    """A store or storage whose named methods fail a number of times before they work."""

    def __init__(self, inner, error, **failures):
        self._inner, self._error, self._failures = inner, error, failures

    def __getattr__(self, name):
        if self._failures.get(name, 0) > 0:
            self._failures[name] -= 1

            def fail(*_, **__):
                raise self._error

            return fail
        return getattr(self._inner, name)
