"""Filling in a form: its buttons, and the texts and files that answer its questions."""

from __future__ import annotations

from collections.abc import Sequence

from telegram.constants import MessageLimit

from bot import callbacks, dialogue
from bot.dialogue import Draft, Outdated, Unasked
from bot.forms import Choice, Form, Kind
from bot.gallery import Gallery
from bot.handlers import submitting
from bot.screens import Button, Screen, screen
from bot.texts import length
from bot.turns import Turn


async def form_of(turn: Turn, engine: str) -> Form:
    """An engine's form, with the pictures and networks that this user may choose from."""
    form = Form.of(await turn.services.api.engine(engine, turn.words.language))
    offered: dict[str, Sequence[Choice]] = {}
    for field in form.fields:
        if Gallery.suits(field):
            offered[field.name] = turn.services.gallery.choices(turn.words)
        elif field.kind is Kind.NETWORK:
            account = await turn.account()
            found = await turn.services.api.networks(account.key)
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


async def draft_of(turn: Turn) -> Draft | None:
    """The user's half-filled form in this chat."""
    return await turn.services.notes.draft(turn.chat_id, turn.user.id)


async def begin(turn: Turn, engine: str, **known: object) -> tuple[Form, Draft]:
    """A new draft of an engine with the user's own settings. Raises BadValue and KeyError for `known`."""
    form = await form_of(turn, engine)
    settings = await turn.services.notes.settings(turn.user.id)
    return form, dialogue.start(form, settings, **known)


async def show_new(turn: Turn, form: Form, draft: Draft, more: Sequence[Sequence[Button]] = ()) -> None:
    """Show a draft in a new message, below the style pictures where it asks for one; with `more` buttons."""
    shown = screen(form, draft, turn.words)
    rows = [*shown.rows[:-1], *more, *shown.rows[-1:]]
    field = dialogue.asked(form, draft)
    gallery = turn.services.gallery
    if field is not None and Gallery.suits(field) and length(shown.text) <= MessageLimit.CAPTION_LENGTH:
        message = await turn.show_picture(gallery.sheet(), shown.text, rows)
        gallery.sent(message)
    else:
        message = await turn.say(shown.text, rows)
    await _save(turn, draft.model_copy(update={"message_id": message.message_id}))


async def show_here(turn: Turn, form: Form, draft: Draft) -> None:
    """Show a draft in the message whose button was tapped."""
    assert turn.message is not None
    # A process that dies after this has the draft as it was tapped, and the next tap shows it.
    new = await turn.change(screen(form, draft, turn.words))
    message_id = (new or turn.message).message_id
    await _save(turn, draft.model_copy(update={"message_id": message_id}))


async def tapped(turn: Turn, verb: str, args: tuple[str, ...]) -> None:
    """A button of a form."""
    draft = await _tapped_draft(turn)
    if draft is None:
        return
    form = await form_of(turn, draft.engine)
    try:
        changed = dialogue.apply(form, draft, dialogue.Tap(verb, args))
    except Outdated:
        await turn.notice(turn.words.plain("toast.form_changed"))
        await show_here(turn, form, draft)
        return
    if verb == callbacks.CLOSE:
        await turn.services.notes.drop_draft(turn.chat_id, turn.user.id)
        await turn.change(Screen(turn.words("form.closed"), []))
    elif verb == callbacks.GO:
        await _go(turn, form, draft)
    else:
        await turn.notice()  # an edit may have to wait for its turn among all chats, a button does not
        await show_here(turn, form, changed)


async def typed(turn: Turn, text: str) -> bool:
    """A text that may answer a question; False: nothing asks. Raises BadValue."""
    draft = await draft_of(turn)
    if draft is None or not _is_meant(turn, draft):
        return False
    form = await form_of(turn, draft.engine)
    try:
        changed = dialogue.apply(form, draft, dialogue.Typed(text))
    except Unasked:
        return False
    await show_new(turn, form, changed)
    return True


async def sent(turn: Turn, files: Sequence[str], media_type: str) -> bool:
    """Files that may answer a question; False: nothing asks for any. Raises BadValue."""
    draft = await draft_of(turn)
    if draft is None or not _is_meant(turn, draft):
        return False
    form = await form_of(turn, draft.engine)
    try:
        changed = dialogue.apply(form, draft, dialogue.Sent(tuple(files), media_type))
    except Unasked:
        return False
    await proceed(turn, form, changed)
    return True


async def added(turn: Turn, files: Sequence[str]) -> bool:
    """Pictures of an album that came after the others: they join them. False: there is no room for them."""
    draft = await draft_of(turn)
    if draft is None:
        return False
    form = await form_of(turn, draft.engine)
    for field in form.fields:
        before = draft.files.get(field.name, [])
        if field.kind is Kind.FILE and len(before) + len(files) <= field.multiple[1]:
            draft = draft.model_copy(update={"files": {**draft.files, field.name: [*before, *files]}})
            await show_new(turn, form, draft)
            return True
    return False


async def proceed(turn: Turn, form: Form, draft: Draft, more: Sequence[Sequence[Button]] = ()) -> None:
    """Show a draft that has changed, or hand it in where there is nothing left to ask."""
    if form.asks_nothing_more and dialogue.missing(form, draft) is None:
        await submitting.hand_in(turn, form, draft)
    else:
        await show_new(turn, form, draft, more)


async def _go(turn: Turn, form: Form, draft: Draft) -> None:
    if (field := dialogue.missing(form, draft)) is not None:
        await turn.notice(turn.words.plain("toast.choose_first", title=field.title))
        await show_here(turn, form, draft)
        return
    # Where that fails the form stays as it is: another tap on Go, and it is on its way.
    await submitting.hand_in(turn, form, draft)


async def _tapped_draft(turn: Turn) -> Draft | None:
    """The draft that the tapped message shows; None, and said so, where it shows none of this user's."""
    assert turn.message is not None
    draft = await draft_of(turn)
    if draft is not None and draft.message_id == turn.message.message_id:
        return draft
    if turn.is_group:
        await turn.notice(turn.words.plain("toast.not_yours"), alert=True)
    else:
        await turn.notice(turn.words.plain("toast.form_expired"), alert=True)
        await turn.retire(turn.message.message_id)
    return None


def _is_meant(turn: Turn, draft: Draft) -> bool:
    """In a group people talk to each other: only an answer to the question is one."""
    if not turn.is_group:
        return True
    replied = turn.message.reply_to_message if turn.message else None
    return replied is not None and replied.message_id == draft.message_id


async def _save(turn: Turn, draft: Draft) -> None:
    await turn.services.notes.save_draft(turn.chat_id, turn.user.id, draft)
