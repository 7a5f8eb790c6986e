"""/admin: the fleet and the queue, for operators."""

from __future__ import annotations

from bot import callbacks
from bot.exchanges import Exchange
from bot.handlers.reasons import Sorry
from bot.screens import Button, Screen
from bot.texts import clip
from bot.words import Html
from client import Json

#: Workers on the screen; more than that are watched elsewhere (docs/operations).
_WORKERS = 12
#: Jobs that are counted.
_COUNTED = 100
_BUTTON_LENGTH = 30
#: The end of a worker's id tells it from others.
_ID_LENGTH = 8


async def admin(exchange: Exchange, _args: str) -> None:
    """/admin."""
    _must_be_admin(exchange)
    shown = await _fleet(exchange)
    await exchange.say(shown.text, shown.rows)


async def fleet(exchange: Exchange) -> None:
    """The workers, in the message that was tapped."""
    _must_be_admin(exchange)
    await exchange.change(await _fleet(exchange))


async def queue(exchange: Exchange) -> None:
    """What waits and what runs."""
    _must_be_admin(exchange)
    words, api = exchange.words, exchange.services.api.admin
    counts = {}
    for state in ("queued", "running"):
        found = len((await api.jobs_page(all=True, limit=_COUNTED, state=state))["jobs"])
        counts[state] = f"{found}+" if found == _COUNTED else str(found)
    buttons = [
        Button(words.plain("button.fleet"), callbacks.pack(callbacks.FLEET)),
        Button(words.plain("button.refresh"), callbacks.pack(callbacks.QUEUE)),
    ]
    await exchange.change(Screen(words("admin.queue", **counts), [buttons]))


async def drain(exchange: Exchange, worker_id: str) -> None:
    """Let a worker take nothing new."""
    _must_be_admin(exchange)
    await exchange.services.api.admin.drain(worker_id)
    await exchange.notice(exchange.words.plain("admin.drained", worker=_short(worker_id)))
    await fleet(exchange)


async def resume(exchange: Exchange, worker_id: str) -> None:
    """Let it take jobs again."""
    _must_be_admin(exchange)
    await exchange.services.api.admin.resume(worker_id)
    await exchange.notice(exchange.words.plain("admin.resumed", worker=_short(worker_id)))
    await fleet(exchange)


def _must_be_admin(exchange: Exchange) -> None:
    if not exchange.is_admin:
        raise Sorry("admin.not_admin")


async def _fleet(exchange: Exchange) -> Screen:
    words = exchange.words
    workers = await exchange.services.api.admin.workers()
    lines = [words("admin.title")]
    rows = []
    if not workers:
        lines.append(words("admin.no_workers"))
    for worker in workers[:_WORKERS]:
        lines.append(
            words(
                "admin.worker",
                state=words(f"admin.state_{_state(worker)}"),
                worker=_short(worker["id"]),
                host=worker["hostname"],
                engines=clip(", ".join(worker["engines"]), 200),
                device=worker["device"] or "–",
                jobs=len(worker["job_ids"]),
            )
        )
        key, verb = (
            ("button.resume", callbacks.RESUME) if worker["draining"] else ("button.drain", callbacks.DRAIN)
        )
        text = clip(words.plain(key, worker=_short(worker["id"])), _BUTTON_LENGTH)
        rows.append([Button(text, callbacks.pack(verb, worker["id"]))])
    rows.append(
        [
            Button(words.plain("button.queue"), callbacks.pack(callbacks.QUEUE)),
            Button(words.plain("button.refresh"), callbacks.pack(callbacks.FLEET)),
        ]
    )
    return Screen(Html("\n\n".join(lines)), rows)


def _state(worker: Json) -> str:
    """Which of the catalogues' states it is in."""
    if worker["state"] == "lost":
        return "lost"
    if worker["quarantined_at"] is not None:
        return "quarantined"
    if worker["draining"]:
        return "draining"
    return "working" if worker["job_ids"] else "idle"


def _short(worker_id: str) -> str:
    return worker_id[-_ID_LENGTH:]
