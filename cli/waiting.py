"""While a job waits, its events say nothing: its place in line and the forecast are asked for beside them."""

from __future__ import annotations

import threading
from typing import Self

from cli import words
from cli.show import Show
from client import ApiError, Client, Json

#: When it is asked for the first time, and how far apart at most: a long line moves slowly.
FIRST_SECONDS = 0.5
MOST_SECONDS = 10.0


class Waiting:
    """Passes a job's events on to `show`, and while the newest says `queued`, where it stands."""

    def __init__(self, client: Client, job_id: str, show: Show) -> None:
        self._client = client
        self._job_id = job_id
        self._show = show
        self._newest: Json = {"state": None}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        self._thread.join(2.0)

    def see(self, event: Json) -> None:
        """An event of the job."""
        with self._lock:
            self._newest = event
            self._show(event)

    def _ask(self) -> None:
        pause = FIRST_SECONDS
        while not self._over.wait(pause):
            if self._newest["state"] != "queued":
                continue
            pause = min(2 * pause, MOST_SECONDS)
            try:
                job = self._client.job(self._job_id)
            except ApiError:
                continue  # whoever reads the events meets the same, and knows what to do about it
            with self._lock:  # an event that came meanwhile is newer
                if self._newest["state"] == job["state"] == "queued" and not self._over.is_set():
                    self._show({**self._newest, "message": words.outlook(job)})
