"""From a filled-in form to a job, and to the message that shows it."""

from __future__ import annotations

import mimetypes
from contextlib import AsyncExitStack

from telegram import File as TelegramFile
from telegram.error import BadRequest, TelegramError

from bot import dialogue, progress
from bot.dialogue import Draft
from bot.exchanges import Exchange
from bot.forms import Field, Form, Kind
from bot.gallery import Gallery
from bot.handlers.reasons import DOWNLOAD_MB, Sorry
from bot.open_jobs import JobNote
from bot.screens import Screen
from bot.texts import clean
from client import File, Json, Refused

#: A submission with more bytes of files than this is one of the large ones, which go one at a time.
_LARGE = 2_000_000


async def hand_in(exchange: Exchange, form: Form, draft: Draft) -> None:
    """Submit a draft and show its job; where one file is taken and there are several, a job for each.

    What was submitted leaves the draft, so that nothing is twice after an error in the middle.
    """
    notes = exchange.services.notes
    several = _several(form, draft)
    if several is None:
        await follow(exchange, await _submit(exchange, form, draft, exchange.update_key))
    else:
        files = draft.files[several.name]
        for number, file in enumerate(files):
            one = _with_files(draft, several, [file])
            key = f"{exchange.update_key}-{number}" if number else exchange.update_key
            await follow(exchange, await _submit(exchange, form, one, key), anew=number > 0)
            left = _with_files(draft, several, files[number + 1 :])
            await notes.save_draft(exchange.chat_id, exchange.user.id, left)
    if draft.message_id is not None:  # one that was never shown is not the one in the notes
        await notes.drop_draft(exchange.chat_id, exchange.user.id)


async def follow(exchange: Exchange, job: Json, *, anew: bool = False) -> None:
    """Show a job from now on: in the message that was tapped, or with `anew` in one of its own."""
    services, words = exchange.services, exchange.words
    await exchange.notice()
    if await services.notes.note(job["id"]) is not None:
        return  # an earlier delivery of this update came so far
    view = progress.under_way(job, await title_of(exchange, job["engine"]), words)
    media = False
    if exchange.query is None or anew or exchange.message is None:
        shown = await exchange.say(view.text, view.rows)
    else:
        new = await exchange.change(Screen(view.text, view.rows))
        shown, media = (new, False) if new else (exchange.message, exchange.shows_media)
    note = JobNote(
        job_id=job["id"],
        chat_id=exchange.chat_id,
        user_id=exchange.user.id,
        message_id=shown.message_id,
        engine=job["engine"],
        language=words.language,
        update_key=exchange.update_key,
        is_photo=media,
        reply_to=shown.message_id if exchange.is_group else None,
        thread_id=exchange.thread_id,
        shown=view.mark,
    )
    await services.notes.open_job(note)


async def title_of(exchange: Exchange, engine: str) -> str:
    """What an engine is called; not HTML."""
    try:
        found = await exchange.services.api.engine(engine, exchange.words.language)
    except Refused:
        return engine  # there is none of this name any more
    return clean(str(found["title"]))


async def _submit(exchange: Exchange, form: Form, draft: Draft, key: str) -> Json:
    account = await exchange.account()
    params = dialogue.params(form, draft)
    files: list[tuple[str, File]] = []
    sent: list[tuple[str, TelegramFile]] = []
    for field in form.fields:
        for text in draft.files.get(field.name, ()):
            source = dialogue.source(text)
            if source.kind == "gallery":
                files.append((field.name, File(*Gallery.picture(source.id))))
            elif source.kind == "telegram":
                sent.append((field.name, await _find(exchange, source.id)))
            elif field.multiple == (1, 1):
                params[field.name] = source.id
            else:
                params[field.name] = [*params.get(field.name, []), source.id]
    services = exchange.services
    if sent:
        await exchange.notice()  # fetching takes a while, and a button does not wait for ever
    is_large = sum(file.file_size or 0 for _, file in sent) > _LARGE
    async with AsyncExitStack() as stack:
        if is_large:
            await stack.enter_async_context(services.large)
        for name, file in sent:
            try:
                stream = stack.enter_context(await services.downloads.fetch(file))
            except BadRequest as error:
                raise _no_file(error) from error
            files.append((name, File(f"telegram{_suffix(file)}", stream)))
        return await services.api.of(account.key).submit(
            form.engine, params, files=files, idempotency_key=key
        )


async def _find(exchange: Exchange, file_id: str) -> TelegramFile:
    """Where Telegram has a file. Raises Sorry."""
    try:
        file = await exchange.services.bot.get_file(file_id)
    except BadRequest as error:
        raise _no_file(error) from error
    if (file.file_size or 0) > DOWNLOAD_MB * 1024 * 1024:
        raise Sorry("error.file_too_large", limit=DOWNLOAD_MB)
    return file


def _no_file(error: TelegramError) -> Sorry:
    if "too big" in error.message.lower():
        return Sorry("error.file_too_large", limit=DOWNLOAD_MB)
    return Sorry("error.download")


def _suffix(file: TelegramFile) -> str:
    """The end of a file's name, by which people know its type; the rest is nobody's business."""
    kind = mimetypes.guess_type(file.file_path or "")[0] or ""
    return mimetypes.guess_extension(kind) or ""


def _several(form: Form, draft: Draft) -> Field | None:
    """The field that has more files than it takes."""
    for field in form.fields:
        if field.kind is Kind.FILE and len(draft.files.get(field.name, ())) > field.multiple[1]:
            return field
    return None


def _with_files(draft: Draft, field: Field, files: list[str]) -> Draft:
    return draft.model_copy(update={"files": {**draft.files, field.name: files}})
