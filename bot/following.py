"""Follows the open jobs: takes the due ones, asks for all at once, edits their messages, brings their ends.

Any number of processes may do this at once. What each may touch is decided by leases (`bot.open_jobs`), how
often a chat is edited by a mark in Redis, which an end does not wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import logging
import time
from collections.abc import Coroutine
from typing import Any

from redis.exceptions import RedisError

from bot import progress
from bot.canceling import canceled
from bot.delivering import Courier, edit_seconds, keyboard
from bot.notes import Notes
from bot.open_jobs import JobNote, Taken
from bot.sending import (
    Attachment,
    Blocked,
    Flooded,
    Kind,
    Later,
    Moved,
    NoMedia,
    Sender,
    SendError,
    Unfit,
    Vanished,
)
from bot.studio import Studio
from bot.words import Words
from client import FINAL, ApiError, NoServer, Refused
from client.calls.jobs import BATCH

Json = dict[str, Any]

#: How long a job is one process's, and the longest that those of a dead one wait. Renewed while it is worked
#: at, often enough that a machine with too much to do does not lose it.
LEASE_SECONDS = 15.0
#: Jobs are looked at together at the multiples of this, whoever puts them back when: so it is a request for
#: each hundred of them, however many processes there are. The API counts the requests of the bot's key.
LOOK_SECONDS = 0.8
#: At least so long after it was put back.
_REST_SECONDS = 0.1
#: Between two questions for what is due, so that many jobs are asked for together.
_TICK_SECONDS = 0.2
#: After Redis or the API did not answer.
_AWAY_SECONDS = 2.0
#: Jobs of one process that Telegram is told of at once.
_AT_ONCE = 100
#: Previews are small; a larger one is none.
_PREVIEW_BYTES = 2_000_000
#: How long a stop waits for what is being sent.
STOP_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Follower:
    """One process's part in it."""

    def __init__(self, notes: Notes, api: Studio, sender: Sender, files_bytes: int) -> None:
        self._notes = notes
        self._api = api
        self._sender = sender
        self._courier = Courier(notes, api, sender, files_bytes)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then what is being sent has STOP_SECONDS to arrive."""
        try:
            while not stop.is_set():
                pause = await self._round()
                if pause:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), pause)
        finally:
            await self._end()

    async def _end(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _round(self) -> float:
        """Look at what is due; seconds to wait before the next time."""
        try:
            taken = await self._notes.due(min(BATCH, _AT_ONCE - len(self._tasks)), LEASE_SECONDS)
            if not taken:
                return _TICK_SECONDS
            try:
                jobs = await self._api.admin.jobs_by_id([one.note.job_id for one in taken], everybodys=True)
            except ApiError as error:
                _log.warning("the jobs cannot be read: %s", error)
                wait = error.retry_after if isinstance(error, Refused) else 0.0
                await self._notes.put_all_back(taken, max(wait, _AWAY_SECONDS))
                return max(wait, _AWAY_SECONDS)
            await self._look(taken, jobs)
        except RedisError as error:
            _log.warning("the notes are away: %s", error)
            return _AWAY_SECONDS
        return 0.0 if len(taken) == BATCH else _TICK_SECONDS

    async def _look(self, taken: list[Taken], jobs: dict[str, Json]) -> None:
        titles = {language: await self._titles(language) for language in {one.note.language for one in taken}}
        unchanged = []
        for one in sorted(taken, key=lambda one: one.note.shown_at):
            job = jobs.get(one.note.job_id)
            if job is None or job["state"] in FINAL:
                self._start(one, self._courier.finish(one, job))
                continue
            words = Words(one.note.language)
            title = titles[one.note.language].get(one.note.engine, one.note.engine)
            view = progress.under_way(job, title, words)
            if not _changed(one.note, job, view) or not await self._turn(one.note.chat_id):
                unchanged.append(one)
            else:
                self._start(one, self._edit(one, job, view))
        if unchanged:
            await self._notes.put_all_back(unchanged, _REST_SECONDS, LOOK_SECONDS)

    async def _titles(self, language: str) -> dict[str, str]:
        try:
            return {engine["name"]: engine["title"] for engine in await self._api.engines(language)}
        except ApiError:
            return {}  # names are no worse than silence

    async def _turn(self, chat_id: int) -> bool:
        return await self._notes.may_edit(chat_id, edit_seconds(chat_id))

    async def _edit(self, taken: Taken, job: Json, view: progress.View) -> None:
        """Show how far a job is; what goes wrong here is repaired by its end."""
        note = taken.note
        update: Json = {"shown": view.mark, "version": job["version"], "shown_at": time.time()}
        try:
            update |= await self._show(note, job, view)
        except Flooded as flooded:
            await self._notes.pause(note.chat_id, flooded.seconds)
            update = {}
        except Moved as moved:
            update = {"chat_id": moved.chat_id}
        except Later as later:
            _log.info("%s is shown later: %s", note.job_id, later)
            update = {}
        except Blocked as blocked:
            _log.info(
                "chat %s cannot be written to (%s); %s goes on without", note.chat_id, blocked, note.job_id
            )
            await self._notes.closed(taken)
            return
        except SendError as error:
            _log.info("%s is not shown: %s", note.job_id, error)
        again = note.model_copy(update=update)
        await self._notes.put_back(taken, _REST_SECONDS, again, grid=LOOK_SECONDS)

    async def _show(self, note: JobNote, job: Json, view: progress.View) -> Json:
        """What is to be noted of it."""
        markup = keyboard(view.rows)
        preview = await self._preview(job["preview_url"]) if job["preview_url"] else None
        if preview is not None:
            digest = hashlib.blake2s(preview, digest_size=8).hexdigest()
            if digest != note.preview:
                attachment = Attachment("preview.jpg", io.BytesIO(preview))
                try:
                    await self._sender.show_file(note, Kind.PHOTO, attachment, view.text, markup)
                    return {"is_photo": True, "preview": digest}
                except (NoMedia, Unfit) as error:
                    _log.info("%s is shown without its preview: %s", note.job_id, error)
        if view.mark == note.shown:
            return {}  # a new version that looks as the one before
        try:
            return {"is_photo": await self._sender.show(note, view.text, markup)}
        except Vanished:
            return {}  # deleted by somebody who need not see it; the result comes nevertheless

    async def _preview(self, url: str) -> bytes | None:
        try:
            return await self._api.download(url, _PREVIEW_BYTES)
        except (NoServer, Refused):
            return None  # the job may have ended meanwhile

    def _start(self, taken: Taken, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._keeping(taken, work), name=taken.note.job_id)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease ends, and the job is looked at again.
            _log.error("%s could not be followed", task.get_name(), exc_info=error)

    async def _keeping(self, taken: Taken, work: Coroutine[Any, Any, None]) -> None:
        """Do the work while the lease is renewed; stop where it is lost, for then somebody else does it."""
        job = asyncio.create_task(work)
        try:
            while not canceled() and not (await asyncio.wait({job}, timeout=LEASE_SECONDS / 5))[0]:
                with contextlib.suppress(RedisError):
                    if not await self._notes.keep(taken, LEASE_SECONDS):
                        _log.warning("%s: the lease was lost", taken.note.job_id)
                        return
        finally:
            if not job.done():
                job.cancel()
            await asyncio.gather(job, return_exceptions=True)
        job.result()


def _changed(note: JobNote, job: Json, view: progress.View) -> bool:
    """Whether there may be anything new to see."""
    return view.mark != note.shown or (job["preview_url"] is not None and job["version"] != note.version)
