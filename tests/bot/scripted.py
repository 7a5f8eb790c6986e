"""The API played by hand: jobs and files that a test changes, over httpx and without a socket."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import httpx

from bot.studio import Studio
from client import AsyncClient
from tests.bot.jobs import ECHO, Json


class ScriptedApi:
    """What the bot asks of the API, from memory. One for all the bots of a test."""

    def __init__(self) -> None:
        self.jobs: dict[str, Json] = {}
        self.files: dict[str, bytes] = {}
        self.away = False
        #: Seconds, on time.monotonic's clock, at which each job was read.
        self.read: list[tuple[float, str]] = []
        self.asked: Counter[str] = Counter()

    def client(self) -> Studio:
        """The bot's side of it."""
        transport = httpx.MockTransport(self._answer)
        return Studio(AsyncClient("http://api.test", "atl_admin", transport=transport))

    def add(self, job: Json) -> str:
        self.jobs[job["id"]] = job
        return str(job["id"])

    def change(self, job_id: str, **more: Any) -> None:
        """Another state of a job, with a higher version."""
        self.jobs[job_id] = self.jobs[job_id] | {"version": self.jobs[job_id]["version"] + 1} | more

    def put(self, artifact: Json, data: bytes) -> Json:
        """The bytes behind an artifact's URL."""
        self.files[httpx.URL(artifact["url"]).path] = data
        return artifact | {"size": len(data)}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked[path] += 1
        if self.away:
            raise httpx.ConnectError("refused", request=request)
        if path == "/v1/jobs":
            ids = request.url.params.get_list("id")
            assert len(ids) <= 100
            assert request.headers["Authorization"] == "Bearer atl_admin"
            now = time.monotonic()
            self.read += [(now, one) for one in ids]
            found = [self.jobs[one] for one in ids if one in self.jobs]
            return httpx.Response(200, json={"jobs": found, "next_cursor": None})
        if path == "/v1/engines":
            return httpx.Response(200, json={"engines": [ECHO]})
        if path in self.files:
            assert "Authorization" not in request.headers
            return httpx.Response(200, content=self.files[path])
        problem = {"code": "not_found", "status": 404, "detail": f"nothing at {path}"}
        return httpx.Response(404, content=json.dumps(problem))
