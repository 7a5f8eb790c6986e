"""The API over HTTP, as the commands use it: requests that explain themselves, events that survive a cut."""

from __future__ import annotations

import json
import mimetypes
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import httpx

from cli.errors import CommandError, NoServer, Refused

Json = dict[str, Any]

FINAL = frozenset({"succeeded", "failed", "canceled"})

#: The server sends a comment at least this often; more silence is a dead connection.
SILENCE_SECONDS = 45.0
#: How long a server may be away in the middle of a job before the command gives up waiting (not the job).
PATIENCE_SECONDS = 120.0
#: Event streams that broke without a single event before the client polls instead.
BROKEN_STREAMS = 3
POLL_SECONDS = 1.0
#: Silence in the middle of a large upload that is waited out.
UPLOAD_SECONDS = 300.0


class Client:
    """One server and one key."""

    def __init__(self, url: str, key: str | None, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(
            base_url=url,
            headers=headers,
            transport=transport,
            timeout=httpx.Timeout(60.0, connect=5.0),
            follow_redirects=True,
            # A laptop's proxy cannot reach the laptop.
            trust_env=urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._http.close()

    def request(self, method: str, path: str, **options: Any) -> Json:
        """The JSON answer. Raises NoServer or Refused."""
        try:
            response = self._http.request(method, path, **options)
        except httpx.RequestError as error:
            raise NoServer(self.url, _reason(error)) from error
        return _checked(response)

    def engines(self, *, hidden: bool = False) -> list[Json]:
        """The engines it offers; with `hidden`, the diagnostic ones too."""
        query = {"hidden": "true"} if hidden else None
        found: list[Json] = self.request("GET", "/v1/engines", params=query)["engines"]
        return found

    def engine(self, name: str) -> Json:
        """One engine, with the schema of its parameters."""
        return self.request("GET", f"/v1/engines/{name}")

    def submit(self, engine: str, params: Json, options: Json | None = None) -> Json:
        """Hand in a job; `options` are what the API's JobOptions say."""
        return self.request("POST", "/v1/jobs", json={"engine": engine, "params": params, **(options or {})})

    def dry_run(self, engine: str, params: Json, options: Json, files: Sequence[tuple[str, Path]]) -> Json:
        """What would become of this job. The files (param, path) are looked at and not kept."""
        where = "/v1/jobs?dry_run=true"
        if not files:
            return self.request("POST", where, json={"engine": engine, "params": params, **options})
        form = {"engine": engine, "params": json.dumps(params)}
        form |= {k: v if isinstance(v, str) else json.dumps(v) for k, v in options.items()}
        with ExitStack() as opened:
            parts = [(name, (path.name, opened.enter_context(_readable(path)))) for name, path in files]
            return self.request("POST", where, data=form, files=parts)

    def job(self, job_id: str) -> Json:
        """One job."""
        return self.request("GET", f"/v1/jobs/{job_id}")

    def jobs(self, **query: str | int | list[str] | None) -> Json:
        """A page of jobs, newest first."""
        return self.request("GET", "/v1/jobs", params={k: v for k, v in query.items() if v is not None})

    def cancel(self, job_id: str) -> Json:
        """Ask for a job to be stopped."""
        return self.request("POST", f"/v1/jobs/{job_id}/cancel")

    def retry(self, job_id: str) -> Json:
        """A new job like one that failed or was canceled."""
        return self.request("POST", f"/v1/jobs/{job_id}/retry")

    def again(self, job_id: str, changes: Json) -> Json:
        """A new job like one that has ended, with these changes (the API's AgainRequest)."""
        return self.request("POST", f"/v1/jobs/{job_id}/again", json=changes)

    def again_dry_run(self, job_id: str, changes: Json) -> Json:
        """What would become of it."""
        return self.request("POST", f"/v1/jobs/{job_id}/again?dry_run=true", json=changes)

    def hold(self, job_id: str) -> Json:
        """Let a queued job wait until it is released."""
        return self.request("POST", f"/v1/jobs/{job_id}/hold")

    def release(self, job_id: str) -> Json:
        """Let a held job stand in line again."""
        return self.request("POST", f"/v1/jobs/{job_id}/release")

    def move(self, job_id: str, **where: str) -> Json:
        """Put a queued job `before` another one, or `to` the front or the end."""
        return self.request("POST", f"/v1/jobs/{job_id}/move", json=where)

    def usage(self, **query: str | None) -> Json:
        """What jobs used, a day at a time."""
        return self.request("GET", "/v1/usage", params={k: v for k, v in query.items() if v is not None})

    def link_code(self) -> Json:
        """A code for which a bot gets a key of ours, and when it expires."""
        return self.request("POST", "/v1/link-codes")

    def own_keys(self) -> list[Json]:
        """The keys of our key's owner, newest first."""
        found: list[Json] = self.request("GET", "/v1/me/keys")["keys"]
        return found

    def revoke_own_key(self, key_id: str) -> None:
        """End one of them."""
        self.request("DELETE", f"/v1/me/keys/{key_id}")

    def delete(self, job_id: str) -> None:
        """Delete a finished job and its results."""
        self.request("DELETE", f"/v1/jobs/{job_id}")

    def upload(self, path: Path) -> str:
        """Upload a file and return its id."""
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        with _readable(path) as stream:
            answer = self.request("POST", "/v1/files", files={"file": (path.name, stream, media_type)})
        return str(answer["id"])

    def add_network(
        self, path: Path, name: str, *, shared: bool = False, sent: Callable[[int, int], None]
    ) -> Json:
        """Upload a network as it is read; `sent` hears of the bytes so far and of all of them."""
        query = {"name": name} | ({"shared": "true"} if shared else {})
        with _readable(path) as stream:
            total = os.fstat(stream.fileno()).st_size
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(total)}
            return self.request(
                "POST",
                "/v1/networks",
                params=query,
                headers=headers,
                content=_told(stream, total, sent),
                # The server may take its time to store the last of it before it answers.
                timeout=httpx.Timeout(UPLOAD_SECONDS, connect=5.0),
            )

    def networks(self, **query: str | int | None) -> Json:
        """A page of the networks there are, newest first."""
        return self.request("GET", "/v1/networks", params={k: v for k, v in query.items() if v is not None})

    def all_networks(self) -> Iterator[Json]:
        """All of them."""
        cursor: str | None = None
        while True:
            page = self.networks(limit=100, cursor=cursor)
            yield from page["networks"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def archive(self, job_id: str, target: Path) -> None:
        """Fetch a job's results as one ZIP."""
        self.download(f"{self.url}/v1/jobs/{job_id}/archive", target)

    def download(self, url: str, target: Path) -> None:
        """Fetch a signed URL into `target`, which appears in one step."""
        where = urljoin(self.url + "/", url)
        incoming = ""
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, incoming = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            with (
                os.fdopen(descriptor, "wb") as out,
                self._plain(where) as http,
                http.stream("GET", where) as answer,
            ):
                if answer.status_code != 200:
                    answer.read()
                    _checked(answer)
                for chunk in answer.iter_bytes():
                    out.write(chunk)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(incoming, 0o666 & ~umask)  # mkstemp's 0600 is for secrets; this is a picture
            os.replace(incoming, target)
        except httpx.RequestError as error:
            raise NoServer(self.url, _reason(error)) from error
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror or error}") from error
        finally:
            if incoming:
                Path(incoming).unlink(missing_ok=True)

    @contextmanager
    def _plain(self, url: str) -> Iterator[httpx.Client]:
        """The client for this URL: the key goes to our own server only, never to an object store."""
        if urlsplit(url).netloc == urlsplit(self.url).netloc:
            yield self._http
            return
        with httpx.Client(timeout=self._http.timeout, follow_redirects=True) as other:
            yield other

    def watch(self, job_id: str) -> Iterator[Json]:
        """Every change of a job until it is final: the data of its events.

        Reads the event stream and takes it up where it broke; when it breaks again and again without a
        word (a proxy that buffers, say) the job is polled. Raises NoServer after PATIENCE_SECONDS of silence.
        """
        last, broken, away_since = 0, 0, 0.0
        while True:
            before = last
            try:
                if broken >= BROKEN_STREAMS:
                    events: Iterator[Json] = iter([_as_event(self.job(job_id))])
                else:
                    events = self._stream(job_id, last)
                for event in events:
                    away_since = 0.0
                    if event["version"] > last:
                        last = event["version"]
                        yield event
                    if event["state"] in FINAL:
                        return
                reason = "the event stream ended early"
            except httpx.TransportError as error:
                reason = _reason(error)
            except NoServer as error:
                reason = error.message
            except Refused as error:
                if error.status not in (429, 500, 502, 503, 504):
                    raise
                reason = error.message
            if broken < BROKEN_STREAMS:
                broken = 0 if last > before else broken + 1
            now = time.monotonic()
            away_since = away_since or now
            if now - away_since > PATIENCE_SECONDS:
                raise NoServer(self.url, reason)
            time.sleep(POLL_SECONDS)

    def _stream(self, job_id: str, last: int) -> Iterator[Json]:
        headers = {"Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = str(last)
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=5.0)
        with self._http.stream(
            "GET", f"/v1/jobs/{job_id}/events", headers=headers, timeout=timeout
        ) as answer:
            if answer.status_code != 200:
                answer.read()
                _checked(answer)
            for data in event_data(answer.iter_lines()):
                yield json.loads(data)


@contextmanager
def _readable(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def _told(stream: BinaryIO, total: int, sent: Callable[[int, int], None]) -> Iterator[bytes]:
    done = 0
    sent(done, total)
    while chunk := stream.read(256 * 1024):
        yield chunk
        done += len(chunk)
        sent(done, total)


def event_data(lines: Iterator[str]) -> Iterator[str]:
    """The `data` of each server-sent event in these lines (WHATWG HTML, 9.2.6)."""
    data: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []


def _as_event(job: Json) -> Json:
    known = ("version", "state", "attempt", "progress", "message", "preview_url")
    return {"job_id": job["id"], **{name: job[name] for name in known}}


def _checked(response: httpx.Response) -> Json:
    try:
        answer = response.json() if response.content else {}
    except ValueError:
        answer = None
    if response.is_success and isinstance(answer, dict):
        return answer
    if not isinstance(answer, dict):
        answer = {"detail": f"{response.url} answered {response.status_code}, which is not Atelier's API."}
    raise Refused(response.status_code, answer)


def _reason(error: httpx.RequestError) -> str:
    """What httpx reports, in words for people."""
    if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout):
        return "it does not answer in time"
    return str(error) or type(error).__name__
