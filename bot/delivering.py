"""The end of a job, brought to its chat: each part once, whatever is in the way, nothing tried for ever."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from redis.exceptions import RedisError
from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot import progress, results
from bot.notes import Notes
from bot.open_jobs import JobNote, Taken
from bot.progress import View
from bot.results import Part
from bot.screens import Button
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
from bot.words import Html, Words
from client import ApiError, Refused

Json = dict[str, Any]

#: Results of more bytes than this are large: two of them at once are under way in a process, no more.
LARGE = 5_000_000
_LARGE_AT_ONCE = 2
#: Seconds before the second try of an end, doubled for each further one up to the most.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
#: Tries of an end before it is given up: about three hours.
MOST_FAILURES = 40
#: Seconds between edits of one chat. Telegram allows a group 20 messages a minute, results among them.
CHAT_SECONDS, GROUP_SECONDS = 3.0, 6.0
_NOTING_TRIES = 5

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _End:
    """A job that succeeded, and how its owner is spoken to."""

    job: Json
    engine: Json
    words: Words

    @property
    def _title(self) -> str:
        return str(self.engine["title"])

    def beside(self) -> View:
        """What stands beside a picture or a file."""
        return self._view(results.caption(self.job, self._title, self.words))

    def saying(self, text: Html) -> View:
        """A result that is a text."""
        return self._view(Html(f"{results.heading(self.job, self._title, self.words)}\n\n{text}"))

    def _view(self, text: Html) -> View:
        return View(text, results.buttons(self.job, self.engine, self.words))


class Courier:
    """Brings results. Raises RedisError while Redis is away."""

    def __init__(self, notes: Notes, api: Studio, sender: Sender, files_bytes: int) -> None:
        self._notes = notes
        self._api = api
        self._sender = sender
        self._limit = files_bytes
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def finish(self, taken: Taken, job: Json | None) -> None:
        """Show how a job ended and close it; what cannot be sent now is for later. None: it is gone."""
        note = taken.note
        if wait := await self._notes.paused(note.chat_id):
            await self._notes.put_back(taken, wait)
            return
        try:
            await self._end(taken, job)
        except Moved as moved:
            await self._notes.put_back(taken, 0, note.model_copy(update={"chat_id": moved.chat_id}))
            return
        except Flooded as flooded:
            await self._notes.pause(note.chat_id, flooded.seconds)
            await self._try_later(taken, flooded, flooded.seconds)
            return
        except (Later, ApiError) as error:
            await self._try_later(taken, error, min(_FIRST_PAUSE * 2**note.failures, _LONGEST_PAUSE))
            return
        except Blocked as blocked:
            _log.info(
                "chat %s cannot be written to (%s); %s goes on without", note.chat_id, blocked, note.job_id
            )
        except SendError as error:
            _log.error("%s could not be shown in chat %s: %s", note.job_id, note.chat_id, error)
        await self._notes.closed(taken)

    async def _try_later(self, taken: Taken, why: Exception, pause: float) -> None:
        note = taken.note
        if note.failures >= MOST_FAILURES:
            _log.error("%s is given up after %d tries: %s", note.job_id, note.failures, why)
            await self._notes.closed(taken)
            return
        _log.info("%s is tried again in %g s: %s", note.job_id, pause, why)
        again = note.model_copy(update={"failures": note.failures + 1})
        await self._notes.put_back(taken, pause, again)

    async def _end(self, taken: Taken, job: Json | None) -> None:
        note, words = taken.note, Words(taken.note.language)
        if job is None or job["data_removed"]:
            await self._show(note, progress.gone(job, words))
            return
        engine = await self._engine(note.engine, note.language)
        if job["state"] != "succeeded":
            await self._show(note, progress.ended(job, engine, words))
            return
        done = await self._notes.delivered(note.job_id)
        end = _End(job, engine, words)
        for part in results.parts(job, engine, words, self._limit, self._api.link):
            if part.name not in done:
                await self._deliver(note, part, end)
                await self._noted(note.job_id, part.name)

    async def _engine(self, name: str, language: str) -> Json:
        try:
            return await self._api.engine(name, language)
        except Refused as error:
            if error.status != 404:
                raise
            return {"name": name, "title": name, "params_schema": {}}  # removed since; its results are not

    async def _deliver(self, note: JobNote, part: Part, end: _End) -> None:
        wanted: Part | None = part
        while wanted is not None:
            try:
                await self._send(note, wanted, end)
                return
            except Unfit as error:
                _log.warning("%s, %s as %s: %s", note.job_id, part.name, wanted.kind or "text", error)
                wanted = results.lesser(wanted, end.words, self._api.link)

    async def _send(self, note: JobNote, part: Part, end: _End) -> None:
        face = part.name == results.FACE
        if part.kind is None:
            if face:
                await self._show(note, end.saying(part.text))
            else:
                await self._sender.send_text(note, part.text)
            return
        async with self._opened(part.files, part.size) as attachments:
            if face:
                await self._show_file(note, part.kind, attachments[0], end.beside())
            elif len(attachments) == 1:
                await self._sender.send_file(note, part.kind, attachments[0], part.text)
            else:
                await self._sender.send_album(note, part.kind, attachments, part.text)

    async def _show(self, note: JobNote, view: View) -> None:
        await self._edited(note)
        try:
            await self._sender.show(note, view.text, keyboard(view.rows))
        except Vanished:
            # Somebody deleted the message and not the wish; this is the last that is said of it.
            await self._sender.send_text(note, view.text, keyboard(view.rows))

    async def _show_file(self, note: JobNote, kind: Kind, attachment: Attachment, beside: View) -> None:
        await self._edited(note)
        markup = keyboard(beside.rows)
        try:
            await self._sender.show_file(note, kind, attachment, beside.text, markup)
        except (Vanished, NoMedia) as error:
            await self._sender.send_file(note, kind, attachment, beside.text, markup)
            if isinstance(error, NoMedia):
                await self._noted(note.job_id, results.FACE)
                await self._sender.delete(note)

    async def _edited(self, note: JobNote) -> None:
        await self._notes.edited(note.chat_id, edit_seconds(note.chat_id))

    async def _noted(self, job_id: str, part: str) -> None:
        """A Redis that stumbles now would cost a second copy of what was sent."""
        for tries in range(_NOTING_TRIES):
            try:
                await self._notes.mark_delivered(job_id, part)
                return
            except RedisError:
                if tries == _NOTING_TRIES - 1:
                    raise
                await asyncio.sleep(0.5)

    @asynccontextmanager
    async def _opened(self, files: Sequence[Json], size: int) -> AsyncIterator[list[Attachment]]:
        """The files, fetched into temporary ones; of large ones two at once."""
        async with AsyncExitStack() as stack:
            if size > LARGE:
                await stack.enter_async_context(self._large)
            found = []
            for file in files:
                stream = stack.enter_context(_temporary())
                if not await self._api.fetch(file["url"], stream, self._limit):
                    raise Unfit(f"{file['name']} is larger than was said")
                found.append(Attachment(file["name"], stream))
            yield found


@contextmanager
def _temporary() -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as stream:
        yield cast(BinaryIO, stream)


def edit_seconds(chat_id: int) -> float:
    """How far apart edits in a chat are; groups have negative ids."""
    return GROUP_SECONDS if chat_id < 0 else CHAT_SECONDS


def keyboard(rows: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    """Buttons as Telegram takes them."""
    if not rows:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(button.text, callback_data=button.data) for button in row] for row in rows]
    )
