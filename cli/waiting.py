"""While a job waits, its events say little: its place in line and the forecast, or how far the jobs are that
it has asked for, are asked for beside them.
"""

from __future__ import annotations

import threading
from typing import Self

from cli import stages, words
from cli.show import Show
from client import ApiError, Client, Json

#: When it is asked for the first time, and how far apart at most: a long line moves slowly.
FIRST_SECONDS = 0.5
MOST_SECONDS = 10.0
#: How far apart of a job that is made of jobs.
PARTS_SECONDS = 1.0


class Waiting:
    """Passes a job's events on to `show`, and while the newest says `queued`, where it stands."""

    def __init__(self, client: Client, job_id: str, show: Show) -> None:
        self._client = client
        self._job_id = job_id
        self._show = show
        self._newest: Json = {"state": None}
        #: What is said of the jobs it has asked for; None while it waits for none.
        self._parts: Json | None = None
        self._made_of_jobs = False
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over = True
        self._news.set()
        self._thread.join(2.0)

    def see(self, event: Json) -> None:
        """An event of the job."""
        with self._lock:
            changed = event["state"] != self._newest["state"]
            self._newest = event
            if event.get("reason") == "waits_for_parts":
                self._parts = {"state": words.IN_PARTS, "message": "", "stage": None}
            elif changed or event.get("reason") == "parts_ended":
                self._parts = None
            self._show({**event, **(self._parts or {})})
            if changed:
                self._news.set()

    def _ask(self) -> None:
        pause = FIRST_SECONDS
        while not self._over:
            if self._news.wait(pause):
                self._news.clear()
                pause = PARTS_SECONDS if self._made_of_jobs else FIRST_SECONDS
                continue
            if self._newest["state"] != "queued":
                continue
            try:
                job = self._client.job(self._job_id)
            except ApiError:
                continue  # whoever reads the events meets the same, and knows what to do about it
            self._made_of_jobs = bool(job.get("stages"))
            pause = PARTS_SECONDS if self._made_of_jobs else min(2 * pause, MOST_SECONDS)
            with self._lock:  # an event that came meanwhile is newer
                newest = self._newest
                current = newest["state"] == job["state"] and newest["version"] <= job["version"]
                if current and job["state"] == "queued" and not self._over:
                    self._tell(job)

    def _tell(self, job: Json) -> None:
        if words.in_parts(job):
            where = stages.where(job)
            self._parts = {"state": words.IN_PARTS, "message": where, "stage": stages.current(job)}
        else:
            self._parts = None
        self._show({**self._newest, **(self._parts or {"message": words.outlook(job)})})
