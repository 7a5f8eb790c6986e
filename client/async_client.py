"""Atelier's API for a program that does something else meanwhile (asyncio)."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from client.async_transport import AsyncTransport
from client.calls import files as file_calls
from client.calls import house as house_calls
from client.calls import jobs as job_calls
from client.calls import schedules as schedule_calls
from client.calls.base import Which
from client.errors import ApiError, JobFailed, Json
from client.following import Following
from client.saving import Received, Source, target, targets
from client.submission import Submission
from client.uploads import File, Sent, unheard
from client.waiting import Waiting


class AsyncClient(AsyncTransport):
    """`client.Client`, method by method, to be awaited; lists and events are for `async for`."""

    # Making things.

    async def run(
        self,
        engine: str,
        params: Mapping[str, Any] | None = None,
        *,
        within: float | None = None,
        **options: Any,
    ) -> Json:
        """Submit a job and wait for it. Raises JobFailed unless it succeeded, and NotFinished."""
        job = await self.wait(await self.submit(engine, params, **options), within=within)
        if job["state"] != "succeeded":
            raise JobFailed(job)
        return job

    async def submit(
        self,
        engine: str,
        params: Mapping[str, Any] | None = None,
        *,
        files: job_calls.Files = (),
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Json:
        """A new job; with an `idempotency_key` that was used before, the job that it made.

        A Path or a File among the params is sent along; `files` are further (parameter, file) that always go
        in the same request. `options`: priority, start_by, hold, tags... as the API's JobOptions name them.
        """
        wanted = Submission(engine, params or {}, files, options, idempotency_key)
        for file, call in wanted.uploads():
            wanted.stored(file, await self.send(call))
        return await self.send(wanted.call())

    async def dry_run(
        self,
        engine: str,
        params: Mapping[str, Any] | None = None,
        *,
        files: job_calls.Files = (),
        **options: Any,
    ) -> Json:
        """What would become of such a job. Nothing is kept."""
        return await self.send(Submission(engine, params or {}, files, options, None).dry_run())

    async def retry(self, job: Which, *, idempotency_key: str | None = None) -> Json:
        """A new job like one that failed or was canceled."""
        return await self.send(job_calls.retry(job, idempotency_key))

    async def again(
        self, job: Which, changes: Mapping[str, Any] | None = None, *, idempotency_key: str | None = None
    ) -> Json:
        """A new job like one that has ended, with these changes (the API's AgainRequest)."""
        return await self.send(job_calls.again(job, dict(changes or {}), idempotency_key))

    async def again_dry_run(self, job: Which, changes: Mapping[str, Any] | None = None) -> Json:
        """What would become of it."""
        return await self.send(job_calls.again_dry_run(job, dict(changes or {})))

    # Jobs.

    async def job(self, job: Which) -> Json:
        """One job as it is now."""
        return await self.send(job_calls.job(job))

    async def wait(self, job: Which, *, within: float | None = None) -> Json:
        """The job when it has ended, however. Raises NotFinished after `within` seconds; the job goes on."""
        waiting = Waiting(job, within, time.monotonic())
        while True:
            try:
                found = await self.send(waiting.call(time.monotonic()))
                pause = waiting.pause(found, time.monotonic())
                if pause is None:
                    return found
            except ApiError as error:
                pause = waiting.away(error, time.monotonic())
            await asyncio.sleep(pause)

    def events(self, job: Which, *, after: int = 0) -> AsyncIterator[Json]:
        """Every change of a job until it has ended, from the one after this `version` on.

        Goes on where the connection breaks. Raises NoServer after two minutes without a word.
        """
        return self.follow(Following(job, after))

    def jobs(self, **query: Any) -> AsyncIterator[Json]:
        """All one's jobs, newest first; `state`, `engine`, `tag`, `q`... as GET /v1/jobs takes them."""
        return self.each("jobs", job_calls.jobs, query)

    async def jobs_page(self, **query: Any) -> Json:
        """One page of them: `jobs`, and `next_cursor` for the next."""
        return await self.send(job_calls.jobs(query))

    async def jobs_by_id(self, ids: Sequence[str], *, everybodys: bool = False) -> dict[str, Json]:
        """These jobs with their places in line; those that are gone are left out."""
        pages = [await self.send(call) for call in job_calls.jobs_by_id(ids, everybodys)]
        return {job["id"]: job for page in pages for job in page}

    def parts(self, job: Which, **query: Any) -> AsyncIterator[Json]:
        """All jobs that a job has asked for, in that order: `name`, `stage`, and the `job` itself."""
        return self.each("parts", lambda page: job_calls.parts(job, page), query)

    async def cancel(self, job: Which) -> Json:
        """Ask for a job to be stopped."""
        return await self.send(job_calls.cancel(job))

    async def hold(self, job: Which) -> Json:
        """Let a queued job wait until it is released."""
        return await self.send(job_calls.hold(job))

    async def release(self, job: Which) -> Json:
        """Let a held job stand in line again."""
        return await self.send(job_calls.release(job))

    async def move(self, job: Which, **where: str) -> Json:
        """Put a queued job `before` another one, or `to` the front or the end."""
        return await self.send(job_calls.move(job, where))

    async def label(self, job: Which, **labels: Any) -> Json:
        """Other `tags`, other `metadata`."""
        return await self.send(job_calls.label(job, labels))

    async def delete(self, job: Which) -> None:
        """Delete a job that has ended, and its results."""
        await self.send(job_calls.delete(job))

    # Results, and other files.

    async def save(self, job: Which, folder: Path | str) -> list[Path]:
        """Download every result of a job into a folder, by its own name."""
        found = job if isinstance(job, dict) and "artifacts" in job else await self.job(job)
        return [await self.download(artifact, path) for artifact, path in targets(found, Path(folder))]

    async def download(self, file: Source, path: Path | str) -> Path:
        """A file by its description or its URL; it is there in one step. Raises Damaged for another one."""
        with target(Path(path)) as stream:
            await self.fetch(file, stream)
        return Path(path)

    async def fetch(self, file: Source, into: BinaryIO, *, most: int | None = None) -> None:
        """The same into a stream that can seek. Raises Oversized where it has more than `most` bytes."""
        await self.receive(file, Received(file, into, most))

    async def read(self, file: Source, *, most: int | None = None) -> bytes:
        """The same into memory."""
        into = io.BytesIO()
        await self.fetch(file, into, most=most)
        return into.getvalue()

    async def archive(self, job: Which, path: Path | str) -> Path:
        """All results of a job as one ZIP."""
        where = job_calls.archive(job)
        with target(Path(path)) as stream:
            await self.receive(where, Received(where, stream), with_key=True)
        return Path(path)

    async def upload(self, file: File | Path | str, *, idempotency_key: str | None = None) -> Json:
        """Store a file; its `id` may be a parameter of any number of jobs."""
        return await self.send(file_calls.upload(File.of(file), idempotency_key))

    async def file(self, file: Which) -> Json:
        """What is known of a file, with a fresh `url`."""
        return await self.send(file_calls.file(file))

    def files(self, **query: Any) -> AsyncIterator[Json]:
        """All one's uploads and results, newest first."""
        return self.each("files", file_calls.files, query)

    async def files_page(self, **query: Any) -> Json:
        """One page of them."""
        return await self.send(file_calls.files(query))

    async def delete_file(self, file: Which) -> None:
        """Delete a file that no waiting or running job reads."""
        await self.send(file_calls.delete_file(file))

    # Schedules.

    async def add_schedule(self, name: str, cron: str, job: Mapping[str, Any], **more: Any) -> Json:
        """Make a job again and again: `engine`, `params` and options as a submission has them.

        Its files are ids or URLs; `more` is `zone` (UTC) and `misses` (skip, or once).
        """
        return await self.send(schedule_calls.add({"name": name, "cron": cron, "job": dict(job), **more}))

    async def schedule_dry_run(self, cron: str, job: Mapping[str, Any], **more: Any) -> list[str]:
        """The first five times of such a schedule. Nothing is kept."""
        return await self.send(schedule_calls.dry_run({"name": "-", "cron": cron, "job": dict(job), **more}))

    async def schedule(self, schedule: Which) -> Json:
        """One schedule, with its next times and what became of the one before."""
        return await self.send(schedule_calls.schedule(schedule))

    def schedules(self, **query: Any) -> AsyncIterator[Json]:
        """All one's schedules, newest first."""
        return self.each("schedules", schedule_calls.schedules, query)

    async def schedules_page(self, **query: Any) -> Json:
        """One page of them."""
        return await self.send(schedule_calls.schedules(query))

    async def change_schedule(self, schedule: Which, **changes: Any) -> Json:
        """Another `name`, `cron`, `zone`, `misses` or `job`."""
        return await self.send(schedule_calls.change(schedule, changes))

    async def pause_schedule(self, schedule: Which) -> Json:
        """Let it make nothing until it is resumed."""
        return await self.send(schedule_calls.pause(schedule))

    async def resume_schedule(self, schedule: Which) -> Json:
        """Let it go on from its next time on."""
        return await self.send(schedule_calls.resume(schedule))

    async def run_schedule(self, schedule: Which, *, idempotency_key: str | None = None) -> Json:
        """A job of it now, besides those that are due."""
        return await self.send(schedule_calls.run(schedule, idempotency_key))

    async def delete_schedule(self, schedule: Which) -> None:
        """Delete it; the jobs that it made stay."""
        await self.send(schedule_calls.delete(schedule))

    # Networks.

    async def add_network(
        self,
        file: File | Path | str,
        name: str,
        *,
        shared: bool = False,
        sent: Sent = unheard,
    ) -> Json:
        """Upload a network as it is read; `sent` hears of the bytes so far and of all of them."""
        return await self.send(file_calls.add_network(File.of(file), name, shared, sent))

    async def network(self, network: Which) -> Json:
        """One network by its id."""
        return await self.send(file_calls.network(network))

    def networks(self, **query: Any) -> AsyncIterator[Json]:
        """All networks that jobs may name, newest first."""
        return self.each("networks", file_calls.networks, query)

    async def networks_page(self, **query: Any) -> Json:
        """One page of them."""
        return await self.send(file_calls.networks(query))

    async def delete_network(self, network: Which) -> None:
        """Delete a network."""
        await self.send(file_calls.delete_network(network))

    # The house.

    async def engines(self, *, hidden: bool = False, lang: str | None = None) -> list[Json]:
        """What can be made; with `hidden`, the diagnostic engines too."""
        return await self.send(house_calls.engines(hidden, lang))

    async def engine(self, name: str, *, lang: str | None = None) -> Json:
        """One engine. `client.schema.fields` reads its parameters."""
        return await self.send(house_calls.engine(name, lang))

    async def me(self) -> Json:
        """Whose key this is and what it may."""
        return await self.send(house_calls.me())

    async def keys(self) -> list[Json]:
        """The keys of this key's owner."""
        return await self.send(house_calls.keys())

    async def revoke_key(self, key: Which) -> None:
        """End one of them."""
        await self.send(house_calls.revoke_key(key))

    async def link_code(self) -> Json:
        """A code for which a bot gets a key of ours, and when it expires."""
        return await self.send(house_calls.link_code())

    async def usage(self, **query: Any) -> Json:
        """What jobs used, a day at a time."""
        return await self.send(house_calls.usage(query))

    # With an admin key.

    async def make_key(self, user: str, **options: Any) -> Json:
        """A new key of the owner of this name, who is made if there is none."""
        return await self.send(house_calls.make_key(user, options))

    async def redeem(self, code: str, name: str) -> Json:
        """A new key of the account whose link code this is."""
        return await self.send(house_calls.redeem(code, name))

    def owners(self, **query: Any) -> AsyncIterator[Json]:
        """All owners with their limits."""
        return self.each("owners", house_calls.owners, query)

    async def limit_owner(self, owner: Which, **limits: float | None) -> Json:
        """Change what an owner may have."""
        return await self.send(house_calls.limit_owner(owner, limits))

    async def workers(self) -> list[Json]:
        """The machines at work."""
        return await self.send(house_calls.workers())

    async def drain(self, worker: Which, *, release: bool = False) -> Json:
        """Let a worker take no more jobs; with `release` it gives back what it runs."""
        return await self.send(house_calls.drain(worker, release))

    async def resume(self, worker: Which) -> Json:
        """Let a worker take jobs again."""
        return await self.send(house_calls.resume(worker))

    # Whatever else there is.

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Json | None = None,
        repeatable: bool | None = None,
    ) -> Json:
        """The answer to a request that has no method here; `repeatable`: it may be sent twice (a GET may)."""
        twice = method == "GET" if repeatable is None else repeatable
        return await self.send(house_calls.other(method, path, query or {}, json, twice))
