"""Atelier's API over HTTP, for the bot: its own admin key for what is the bot's, a user's for the rest.

ApiError
├── NoServer   nobody answers, or only with an error of its own; another time it may
└── Refused    the API said no; `code`, `detail` and `problem` are its problem document (RFC 9457)
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import httpx

Json = dict[str, Any]
#: One uploaded file: the parameter it is for, its name, its bytes.
File = tuple[str, str, bytes]

#: How long the list of engines is good.
ENGINES_SECONDS = 60.0
#: Jobs in one request; the API takes no more.
BATCH = 100
#: Tries of a request that may be sent twice.
_TRIES = 3
#: A user waits for the answer, so a longer wait than this is for the user to decide.
_LONGEST_WAIT = 3.0
_CHUNK = 64 * 1024


class ApiError(Exception):
    """The API did not do what it was asked for."""


class NoServer(ApiError):
    """Nobody answers."""


class Refused(ApiError):
    """The API said no."""

    def __init__(self, status: int, problem: Json) -> None:
        self.status = status
        self.problem = problem
        self.code = str(problem.get("code", "error"))
        self.detail = str(problem.get("detail") or problem.get("title") or f"The server answered {status}.")
        super().__init__(f"{status} {self.code}: {self.detail}")

    @property
    def retry_after(self) -> float:
        """Seconds the API asked to wait; 0: it did not say."""
        return float(self.problem.get("retry_after") or 0)


class Api:
    """One server. Every call raises NoServer or Refused."""

    def __init__(
        self,
        url: str,
        admin_key: str,
        *,
        public_url: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.public_url = (public_url or url).rstrip("/")
        self._admin_key = admin_key
        self._http = httpx.AsyncClient(
            base_url=self.url,
            transport=transport,
            timeout=httpx.Timeout(60.0, connect=5.0, pool=60.0),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16),
            follow_redirects=True,
            # A laptop's proxy cannot reach the laptop.
            trust_env=urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"),
        )
        #: By language: until when the list is good, and the list.
        self._engines: dict[str, tuple[float, list[Json]]] = {}
        self._engines_lock = asyncio.Lock()

    async def close(self) -> None:
        """Let its connections go."""
        await self._http.aclose()

    # What is the bot's own: with the admin key.

    async def engines(self, language: str) -> list[Json]:
        """All engines it offers, in a language; an older list for as long as nobody answers."""
        async with self._engines_lock:
            until, found = self._engines.get(language, (0.0, []))
            if time.monotonic() >= until:
                try:
                    found = (await self._get("/v1/engines", params={"lang": language}))["engines"]
                except NoServer:
                    if not found:
                        raise
                self._engines[language] = (time.monotonic() + ENGINES_SECONDS, found)
            return found

    async def engine(self, name: str, language: str) -> Json:
        """One engine in a language, hidden ones too."""
        for known in await self.engines(language):
            if known["name"] == name:
                return known
        return await self._get(f"/v1/engines/{name}", params={"lang": language})

    async def jobs(self, ids: Sequence[str]) -> dict[str, Json]:
        """These jobs, whoever's they are; those that are gone are left out."""
        found: dict[str, Json] = {}
        for start in range(0, len(ids), BATCH):
            query = {"all": "true", "id": list(ids[start : start + BATCH])}
            page = await self._get("/v1/jobs", params=query)
            found |= {job["id"]: job for job in page["jobs"]}
        return found

    async def make_key(self, user: str, name: str, rate_per_minute: int | None = None) -> Json:
        """A new key of the owner of this name, who is made if there is none."""
        wanted = {"user": user, "name": name, "rate_per_minute": rate_per_minute}
        return await self._send("POST", "/v1/keys", json={k: v for k, v in wanted.items() if v is not None})

    async def limit_owner(self, owner_id: str, **limits: float | None) -> Json:
        """Change what an owner may have: max_running, max_queued, keep_days."""
        return await self._send("PATCH", f"/v1/owners/{owner_id}", again=True, json=limits)

    async def owners(self, cursor: str | None = None, limit: int = 50) -> Json:
        """A page of owners with their limits and their jobs that wait and run."""
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        return await self._get("/v1/owners", params=query)

    async def redeem(self, code: str, name: str) -> Json:
        """A new key of the account whose link code this is."""
        return await self._send("POST", "/v1/link-codes/redeem", json={"code": code, "name": name})

    async def workers(self) -> list[Json]:
        """The machines at work."""
        found: list[Json] = (await self._get("/v1/workers"))["workers"]
        return found

    async def drain(self, worker_id: str, *, release: bool = False) -> Json:
        """Let a worker take no more jobs; with `release` it gives back what it runs."""
        return await self._send(
            "POST", f"/v1/workers/{worker_id}/drain", again=True, json={"release": release}
        )

    async def resume(self, worker_id: str) -> Json:
        """Let a worker take jobs again."""
        return await self._send("POST", f"/v1/workers/{worker_id}/resume", again=True)

    async def all_jobs(self, limit: int = 20, **query: str) -> list[Json]:
        """Everybody's jobs, newest first; `state`, `engine` narrow it."""
        found: list[Json] = (
            await self._get("/v1/jobs", params={"all": "true", "limit": str(limit), **query})
        )["jobs"]
        return found

    # What is a user's: with the user's key.

    async def submit(
        self,
        key: str,
        engine: str,
        params: Json,
        files: Sequence[File] = (),
        idempotency_key: str | None = None,
        options: Json | None = None,
    ) -> Json:
        """A new job, or the one that this idempotency key made before."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        again = idempotency_key is not None
        if not files:
            body = {"engine": engine, "params": params, **(options or {})}
            return await self._send("POST", "/v1/jobs", key, again=again, headers=headers, json=body)
        form = {"engine": engine, "params": json.dumps(params)}
        form |= {k: v if isinstance(v, str) else json.dumps(v) for k, v in (options or {}).items()}
        parts = [(param, (name, data, _media_type(name))) for param, name, data in files]
        return await self._send("POST", "/v1/jobs", key, again=again, headers=headers, data=form, files=parts)

    async def job(self, key: str, job_id: str) -> Json:
        """One of the user's jobs, with its place in line and its forecast."""
        return await self._get(f"/v1/jobs/{job_id}", key)

    async def my_jobs(self, key: str, limit: int = 10, cursor: str | None = None) -> Json:
        """A page of the user's jobs, newest first."""
        query = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        return await self._get("/v1/jobs", key, params=query)

    async def cancel(self, key: str, job_id: str) -> Json:
        """Ask for a job to be stopped."""
        return await self._send("POST", f"/v1/jobs/{job_id}/cancel", key, again=True)

    async def retry(self, key: str, job_id: str, idempotency_key: str | None = None) -> Json:
        """A new job like one that failed or was canceled."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return await self._send(
            "POST", f"/v1/jobs/{job_id}/retry", key, again=idempotency_key is not None, headers=headers
        )

    async def upload(self, key: str, name: str, data: bytes) -> str:
        """Store a file of the user's; its id."""
        answer = await self._send("POST", "/v1/files", key, files={"file": (name, data, _media_type(name))})
        return str(answer["id"])

    async def me(self, key: str) -> Json:
        """Whose key it is and what it may."""
        return await self._get("/v1/me", key)

    async def revoke(self, key: str, key_id: str) -> None:
        """End one of the user's keys."""
        await self._send("DELETE", f"/v1/me/keys/{key_id}", key, again=True)

    async def networks(self, key: str) -> list[Json]:
        """All networks that the user may name, newest first."""
        found: list[Json] = []
        cursor: str | None = None
        while True:
            page = await self._get(
                "/v1/networks", key, params={"limit": "100"} | ({"cursor": cursor} if cursor else {})
            )
            found += page["networks"]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    # Files, by their signed URLs and so without a key.

    def link(self, url: str) -> str:
        """A signed URL as people can open it."""
        return urljoin(f"{self.public_url}/", url)

    async def download(self, url: str, limit_bytes: int) -> bytes | None:
        """What is behind a signed URL, for small things; None when it is larger."""
        data = bytearray()
        async with self._reading(url) as answer:
            async for chunk in answer.aiter_bytes(_CHUNK):
                data += chunk
                if len(data) > limit_bytes:
                    return None
        return bytes(data)

    async def fetch(self, url: str, into: BinaryIO, limit_bytes: int) -> bool:
        """Write what is behind a signed URL into a file as it comes; False when it is larger.

        Writing happens in this thread: a chunk is small, and the file a temporary one of this machine.
        """
        size = 0
        async with self._reading(url) as answer:
            async for chunk in answer.aiter_bytes(_CHUNK):
                size += len(chunk)
                if size > limit_bytes:
                    return False
                into.write(chunk)
        into.seek(0)
        return True

    @asynccontextmanager
    async def _reading(self, url: str) -> AsyncIterator[httpx.Response]:
        where = urljoin(f"{self.url}/", url)
        if where.startswith(f"{self.public_url}/"):
            where = self.url + where.removeprefix(self.public_url)  # inside, the way around is not needed
        try:
            async with self._http.stream("GET", where) as answer:
                if answer.status_code != 200:
                    await answer.aread()
                    raise _refused(answer)
                yield answer
        except httpx.RequestError as error:
            raise NoServer(_reason(error)) from error

    async def _get(self, path: str, key: str | None = None, **options: Any) -> Json:
        return await self._send("GET", path, key, again=True, **options)

    async def _send(
        self, method: str, path: str, key: str | None = None, *, again: bool = False, **options: Any
    ) -> Json:
        """The JSON answer. With `again` it is asked anew where that can help and harms nobody."""
        headers = {**options.pop("headers", {}), "Authorization": f"Bearer {key or self._admin_key}"}
        tries = _TRIES
        while True:
            tries -= 1
            try:
                answer = await self._http.request(method, path, headers=headers, **options)
                if answer.is_success:
                    return _object(answer)
                error: ApiError = _refused(answer)
                # 503 is said before anything was accepted, so that even a bare POST may be sent again.
                wait = (
                    error.retry_after if isinstance(error, Refused) and error.status in (429, 503) else None
                )
                failure: Exception | None = None
            except httpx.RequestError as lost:
                error, failure = NoServer(_reason(lost)), lost
                wait = 0.3 if again else None
            if tries == 0 or wait is None or wait > _LONGEST_WAIT:
                raise error from failure
            await asyncio.sleep(wait)


def _object(answer: httpx.Response) -> Json:
    try:
        found = answer.json() if answer.content else {}
    except ValueError as error:
        raise NoServer(f"{answer.url.path} answered no JSON") from error
    if not isinstance(found, dict):
        raise NoServer(f"{answer.url.path} answered no object")
    return found


def _refused(answer: httpx.Response) -> ApiError:
    """What an answer that is no success says."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict) or "code" not in problem:
        # A proxy's page, not a word of the API.
        return NoServer(f"{answer.url.path} was answered {answer.status_code} by something else")
    seconds = answer.headers.get("Retry-After", "")
    if "retry_after" not in problem and seconds.isascii() and seconds.isdigit():
        problem["retry_after"] = int(seconds)
    return Refused(answer.status_code, problem)


def _media_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _reason(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it does not answer in time"
    return str(error) or type(error).__name__
