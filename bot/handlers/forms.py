"""Filling in a form: its buttons, and the texts and files that answer its questions."""

from __future__ import annotations

from collections.abc import Sequence

from telegram.constants import MessageLimit

from bot import callbacks, dialogue
from bot.dialogue import Draft, Outdated, Unasked
from bot.exchanges import Exchange
from bot.forms import Choice, Form, Kind
from bot.gallery import Gallery
from bot.handlers import submitting
from bot.screens import Button, Screen, screen
from bot.texts import length


async def form_of(exchange: Exchange, engine: str) -> Form:
    """An engine's form, with the pictures and networks that this user may choose from."""
    form = Form.of(await exchange.services.api.engine(engine, exchange.words.language))
    offered: dict[str, Sequence[Choice]] = {}
    for field in form.fields:
        if Gallery.suits(field):
            offered[field.name] = exchange.services.gallery.choices(exchange.words)
        elif field.kind is Kind.NETWORK:
            account = await exchange.account()
            found = await exchange.services.api.networks(account.key)
            # Which kinds of network the field takes is in its schema; the API checks it again.
            kinds = {one["x-network"].get("kind", engine) for one in field.forms if "x-network" in one}
            # Shipped ones are among the field's own choices, for one that takes them.
            own = [
                Choice(n["name"], n["name"])
                for n in found
                if n["state"] == "ready" and n["kind"] in kinds and not n.get("shipped")
            ]
            offered[field.name] = [*field.choices, *own]
    return form.offering(offered)


async def draft_of(exchange: Exchange) -> Draft | None:
    """The user's half-filled form in this chat."""
    return await exchange.services.notes.draft(exchange.chat_id, exchange.user.id)


async def begin(exchange: Exchange, engine: str, **known: object) -> tuple[Form, Draft]:
    """A new draft of an engine with the user's own settings. Raises BadValue and KeyError for `known`."""
    form = await form_of(exchange, engine)
    settings = await exchange.services.notes.settings(exchange.user.id)
    return form, dialogue.start(form, settings, **known)


async def show_new(
    exchange: Exchange, form: Form, draft: Draft, more: Sequence[Sequence[Button]] = ()
) -> None:
    """Show a draft in a new message, below the style pictures where it asks for one; with `more` buttons."""
    shown = screen(form, draft, exchange.words)
    rows = [*shown.rows[:-1], *more, *shown.rows[-1:]]
    field = dialogue.asked(form, draft)
    gallery = exchange.services.gallery
    if field is not None and Gallery.suits(field) and length(shown.text) <= MessageLimit.CAPTION_LENGTH:
        message = await exchange.show_picture(gallery.sheet(), shown.text, rows)
        gallery.sent(message)
    else:
        message = await exchange.say(shown.text, rows)
    await _save(exchange, draft.model_copy(update={"message_id": message.message_id}))


async def show_here(exchange: Exchange, form: Form, draft: Draft) -> None:
    """Show a draft in the message whose button was tapped."""
    assert exchange.message is not None
    # A process that dies after this has the draft as it was tapped, and the next tap shows it.
    new = await exchange.change(screen(form, draft, exchange.words))
    message_id = (new or exchange.message).message_id
    await _save(exchange, draft.model_copy(update={"message_id": message_id}))


async def tapped(exchange: Exchange, verb: str, args: tuple[str, ...]) -> None:
    """A button of a form."""
    draft = await _tapped_draft(exchange)
    if draft is None:
        return
    form = await form_of(exchange, draft.engine)
    try:
        changed = dialogue.apply(form, draft, dialogue.Tap(verb, args))
    except Outdated:
        await exchange.notice(exchange.words.plain("toast.form_changed"))
        await show_here(exchange, form, draft)
        return
    if verb == callbacks.CLOSE:
        await exchange.services.notes.drop_draft(exchange.chat_id, exchange.user.id)
        await exchange.change(Screen(exchange.words("form.closed"), []))
    elif verb == callbacks.GO:
        await _go(exchange, form, draft)
    else:
        await exchange.notice()  # an edit may have to wait for its turn among all chats, a button does not
        await show_here(exchange, form, changed)


async def typed(exchange: Exchange, text: str) -> bool:
    """A text that may answer a question; False: nothing asks. Raises BadValue."""
    draft = await draft_of(exchange)
    if draft is None or not _is_meant(exchange, draft):
        return False
    form = await form_of(exchange, draft.engine)
    try:
        changed = dialogue.apply(form, draft, dialogue.Typed(text))
    except Unasked:
        return False
    await show_new(exchange, form, changed)
    return True


async def sent(exchange: Exchange, files: Sequence[str], media_type: str) -> bool:
    """Files that may answer a question; False: nothing asks for any. Raises BadValue."""
    draft = await draft_of(exchange)
    if draft is None or not _is_meant(exchange, draft):
        return False
    form = await form_of(exchange, draft.engine)
    try:
        changed = dialogue.apply(form, draft, dialogue.Sent(tuple(files), media_type))
    except Unasked:
        return False
    await proceed(exchange, form, changed)
    return True


async def added(exchange: Exchange, files: Sequence[str]) -> bool:
    """Pictures of an album that came after the others: they join them. False: there is no room for them."""
    draft = await draft_of(exchange)
    if draft is None:
        return False
    form = await form_of(exchange, draft.engine)
    for field in form.fields:
        before = draft.files.get(field.name, [])
        if field.kind is Kind.FILE and len(before) + len(files) <= field.multiple[1]:
            draft = draft.model_copy(update={"files": {**draft.files, field.name: [*before, *files]}})
            await show_new(exchange, form, draft)
            return True
    return False


async def proceed(
    exchange: Exchange, form: Form, draft: Draft, more: Sequence[Sequence[Button]] = ()
) -> None:
    """Show a draft that has changed, or hand it in where there is nothing left to ask."""
    if form.asks_nothing_more and dialogue.missing(form, draft) is None:
        await submitting.hand_in(exchange, form, draft)
    else:
        await show_new(exchange, form, draft, more)


async def _go(exchange: Exchange, form: Form, draft: Draft) -> None:
    if (field := dialogue.missing(form, draft)) is not None:
        await exchange.notice(exchange.words.plain("toast.choose_first", title=field.title))
        await show_here(exchange, form, draft)
        return
    # Where that fails the form stays as it is: another tap on Go, and it is on its way.
    await submitting.hand_in(exchange, form, draft)


async def _tapped_draft(exchange: Exchange) -> Draft | None:
    """The draft that the tapped message shows; None, and said so, where it shows none of this user's."""
    assert exchange.message is not None
    draft = await draft_of(exchange)
    if draft is not None and draft.message_id == exchange.message.message_id:
        return draft
    if exchange.is_group:
        await exchange.notice(exchange.words.plain("toast.not_yours"), alert=True)
    else:
        await exchange.notice(exchange.words.plain("toast.form_expired"), alert=True)
        await exchange.retire(exchange.message.message_id)
    return None


def _is_meant(exchange: Exchange, draft: Draft) -> bool:
    """In a group people talk to each other: only an answer to the question is one."""
    if not exchange.is_group:
        return True
    replied = exchange.message.reply_to_message if exchange.message else None
    return replied is not None and replied.message_id == draft.message_id


async def _save(exchange: Exchange, draft: Draft) -> None:
    await exchange.services.notes.save_draft(exchange.chat_id, exchange.user.id, draft)
