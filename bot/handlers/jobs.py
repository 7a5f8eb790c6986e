"""/jobs and /cancel, and the buttons below a job."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from bot import callbacks, dialogue, stages
from bot.dialogue import Outdated
from bot.exchanges import Exchange
from bot.forms import Kind
from bot.handlers import forms, submitting
from bot.handlers.reasons import Sorry
from bot.handlers.shortcuts import STYLE
from bot.handlers.submitting import title_of
from bot.screens import Button, Screen
from bot.texts import clip
from bot.words import Html
from client import Json, Refused

#: Jobs on one page of /jobs.
_PAGE = 8
_OPEN = ("queued", "running")
#: How much one tap on Stronger or Weaker changes, of the whole range.
_STEP = 0.2
#: How far back /cancel looks for jobs that are under way.
_RECENT = 50
#: The longest command that is shared whole; beyond it the longest settings (points, a latent) are left out.
_SHARED_LENGTH = 1000
_BUTTON_LENGTH = 30


async def jobs(exchange: Exchange, _args: str) -> None:
    """/jobs: the newest ones, with buttons to stop them or to have their results again."""
    shown = await _list(exchange, 0)
    await exchange.say(shown.text, shown.rows)


async def page(exchange: Exchange, args: tuple[str, ...]) -> None:
    """Another page of them, or the same one again."""
    number = int(args[0]) if args and args[0].isascii() and args[0].isdigit() else 0
    await exchange.change(await _list(exchange, min(number, 99)))


async def cancel(exchange: Exchange, _args: str) -> None:
    """/cancel: the form that is open, else the job that is under way; of several it asks which."""
    words, notes = exchange.words, exchange.services.notes
    if await notes.draft(exchange.chat_id, exchange.user.id) is not None:
        await notes.drop_draft(exchange.chat_id, exchange.user.id)
        await exchange.say(words("form.closed"))
        return
    account = await exchange.account()
    found = await exchange.services.api.of(account.key).jobs_page(limit=_RECENT)
    under_way = [job for job in found["jobs"] if job["state"] in _OPEN and not job["cancel_requested"]]
    if not under_way:
        raise Sorry("jobs.nothing_to_cancel")
    if len(under_way) == 1:
        await exchange.services.api.of(account.key).cancel(under_way[0]["id"])
        await exchange.say(words("jobs.canceled_all", count=1))
        return
    rows = []
    for job in under_way[:_PAGE]:
        title = await title_of(exchange, job["engine"])
        text = f"{words.plain('button.cancel')} · {title}, {_age(exchange, job)}"
        rows.append([Button(clip(text, _BUTTON_LENGTH), callbacks.pack(callbacks.CANCEL, job["id"]))])
    await exchange.say(words("jobs.which"), rows)


async def stop(exchange: Exchange, job_id: str) -> None:
    """A job's Cancel button."""
    account = await exchange.account()
    try:
        job = await exchange.services.api.of(account.key).cancel(job_id)
    except Refused as error:
        if error.code != "wrong_state":
            raise
        await exchange.notice(exchange.words.plain("toast.already_over"))
        return
    key = "toast.canceling" if job["state"] in (*_OPEN, "canceled") else "toast.already_over"
    await exchange.notice(exchange.words.plain(key))


async def again(exchange: Exchange, job_id: str) -> None:
    """Again: the job's form with everything as it was, seed included, to be changed or sent off as it is.

    The same seed gives the same result, so that at once would be of no use to anybody.
    """
    job = await _job(exchange, job_id)
    form = await forms.form_of(exchange, job["engine"])
    params = {name: value for name, value in job["params"].items() if value is not None}
    known = {field.name for field in form.fields}
    draft = dialogue.start(form, None, **{name: value for name, value in params.items() if name in known})
    await forms.show_new(exchange, form, draft)


async def variation(exchange: Exchange, job_id: str) -> None:
    """The same with a new seed."""
    job = await _job(exchange, job_id)
    form = await forms.form_of(exchange, job["engine"])
    seed = form.role("seed")
    await _anew(exchange, job, {seed.name: None} if seed is not None else {})


async def stronger(exchange: Exchange, job_id: str) -> None:
    """The same with more of its strength."""
    await _strength(exchange, job_id, 1)


async def weaker(exchange: Exchange, job_id: str) -> None:
    """The same with less of it."""
    await _strength(exchange, job_id, -1)


async def use(exchange: Exchange, args: tuple[str, ...]) -> None:
    """A picture of the result as the photo to repaint."""
    job = await _job(exchange, args[0])
    pictures = [file for file in job["artifacts"] if file["media_type"].startswith("image/")]
    number = int(args[1]) if len(args) > 1 and args[1].isascii() and args[1].isdigit() else 0
    if job["data_removed"] or number >= len(pictures):
        raise Sorry("job.expired")
    form, draft = await forms.begin(exchange, STYLE)
    first = next(field for field in form.fields if field.required and field.kind is Kind.FILE)
    picture = dialogue.from_artifact(pictures[number]["id"])
    draft = draft.model_copy(update={"files": {first.name: [picture]}})
    await forms.show_new(exchange, form, draft)


async def share(exchange: Exchange, job_id: str) -> None:
    """The settings as a command that makes the same anywhere; the files are not in it."""
    job = await _job(exchange, job_id)
    form = await forms.form_of(exchange, job["engine"])
    values: dict[str, Any] = {}
    for field in form.fields:
        value = job["params"].get(field.name)
        if field.kind is not Kind.FILE and value is not None and value != field.default:
            values[field.name] = value
    command = f"/new {job['engine']} {json.dumps(values, ensure_ascii=False)}"
    while len(command) > _SHARED_LENGTH and values:
        del values[max(values, key=lambda name: len(json.dumps(values[name])))]
        command = f"/new {job['engine']} {json.dumps(values, ensure_ascii=False)}"
    title = await title_of(exchange, job["engine"])
    await exchange.say(exchange.words("result.settings", engine=title, settings=command))


async def full(exchange: Exchange, job_id: str) -> None:
    """The results once more."""
    job = await _job(exchange, job_id)
    if job["data_removed"]:
        raise Sorry("job.expired")
    await exchange.notice()
    await submitting.follow(exchange, job, anew=True)


async def retry(exchange: Exchange, job_id: str) -> None:
    """A job that failed or was canceled, once more."""
    account = await exchange.account()
    job = await exchange.services.api.of(account.key).retry(job_id, idempotency_key=exchange.update_key)
    await exchange.notice(exchange.words.plain("toast.started"))
    await submitting.follow(exchange, job, anew=True)


async def _job(exchange: Exchange, job_id: str) -> Json:
    account = await exchange.account()
    return await exchange.services.api.of(account.key).job(job_id)


async def _strength(exchange: Exchange, job_id: str, direction: int) -> None:
    job = await _job(exchange, job_id)
    form = await forms.form_of(exchange, job["engine"])
    field = form.role("strength")
    if field is None:
        raise Outdated  # the button is of a time when it had one
    low, high = field.minimum or 0.0, field.maximum if field.maximum is not None else 1.0
    now = job["params"].get(field.name)
    now = field.default if now is None else now
    changed = min(max(now + direction * _STEP * (high - low), low), high)
    await _anew(exchange, job, {field.name: round(changed, 3)})


async def _anew(exchange: Exchange, job: Json, changes: Json) -> None:
    account = await exchange.account()
    params = {name: value for name, value in (job["params"] | changes).items() if value is not None}
    made = await exchange.services.api.of(account.key).submit(
        job["engine"], params, idempotency_key=exchange.update_key
    )
    await exchange.notice(exchange.words.plain("toast.started"))
    await submitting.follow(exchange, made, anew=True)


async def _list(exchange: Exchange, number: int) -> Screen:
    words = exchange.words
    own = exchange.services.api.of((await exchange.account()).key)
    cursor: str | None = None
    for _ in range(number):
        cursor = (await own.jobs_page(limit=_PAGE, cursor=cursor))["next_cursor"]
        if cursor is None:
            break
    found = await own.jobs_page(limit=_PAGE, cursor=cursor)
    if not found["jobs"]:
        return Screen(words("jobs.empty"), [])
    lines, rows = [words("jobs.title")], []
    for index, job in enumerate(found["jobs"], 1):
        title = await title_of(exchange, job["engine"])
        going = "running" if stages.in_parts(job) else job["state"]
        state = words(f"jobs.{going}", percent=int(100 * job["progress"]))
        line = words("jobs.line", state=state, engine=title, when=_age(exchange, job))
        lines.append(Html(f"{index}. {line}"))
        rows += _buttons_of(index, job)
    turning = []
    if number:
        turning.append(_turning("‹", number - 1))
    turning.append(Button(words.plain("button.refresh"), callbacks.pack(callbacks.JOBS, number)))
    if found["next_cursor"]:
        turning.append(_turning("›", number + 1))
    compact = [rows[start : start + 4] for start in range(0, len(rows), 4)]
    return Screen(Html("\n".join(lines)), [*compact, turning])


def _buttons_of(index: int, job: Json) -> list[Button]:
    """What can be done with one line of the list."""
    if job["state"] in _OPEN and not job["cancel_requested"]:
        return [Button(f"{index} ✖️", callbacks.pack(callbacks.CANCEL, job["id"]))]
    if job["state"] == "succeeded" and not job["data_removed"]:
        return [Button(f"{index} 🖼", callbacks.pack(callbacks.FULL, job["id"]))]
    if job["state"] in ("failed", "canceled"):
        return [Button(f"{index} 🔁", callbacks.pack(callbacks.RETRY, job["id"]))]
    return []


def _turning(text: str, page: int) -> Button:
    return Button(text, callbacks.pack(callbacks.JOBS, page))


def _age(exchange: Exchange, job: Json) -> str:
    """How long ago it was submitted."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(job["created_at"])).total_seconds()
    return exchange.words.duration(max(seconds, 0.0))
