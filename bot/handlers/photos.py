"""Pictures that come without a command, alone or as an album, and what is no picture."""

from __future__ import annotations

from bot import callbacks
from bot.dialogue import Draft
from bot.exchanges import Exchange
from bot.forms import BadValue, Kind
from bot.handlers import forms
from bot.handlers.reasons import Sorry
from bot.handlers.shortcuts import STYLE, picture_of, take
from bot.media_types import file_of
from bot.screens import Button, Screen
from bot.words import Html

#: The arguments of an album's buttons: the others are the first one's style; each gets a style.
STYLES, EACH = "s", "e"


async def picture(exchange: Exchange) -> None:
    """A picture: the answer to a question, or else something to be repainted. Raises BadValue and Sorry."""
    found = picture_of(exchange.message)
    if found is None:
        raise Sorry("error.not_a_picture")
    file, media_type = found
    if not await forms.sent(exchange, [file], media_type) and not exchange.is_group:
        form, draft = await forms.begin(exchange, STYLE)
        await take(exchange, form, draft, [file], media_type)


async def album(exchange: Exchange, files: list[tuple[str, str]], *, is_late: bool) -> None:
    """The pictures of an album, (Telegram's id, media type), in their order; late ones join the others."""
    names = [file for file, _ in files]
    media_type = files[0][1]
    if is_late and await forms.added(exchange, names):
        return
    if await forms.sent(exchange, names, media_type) or exchange.is_group:
        return
    form, draft = await forms.begin(exchange, STYLE)
    if len(names) == 1:
        await take(exchange, form, draft, names, media_type)
        return
    # All in the field of the first; the buttons decide what becomes of the others.
    first = next(field for field in form.fields if field.kind is Kind.FILE)
    draft = draft.model_copy(update={"files": {first.name: names}})
    words = exchange.words
    rows = [
        [Button(words.plain("album.style_of_second"), callbacks.pack(callbacks.ALBUM, STYLES))],
        [Button(words.plain("album.each"), callbacks.pack(callbacks.ALBUM, EACH))],
        [Button(words.plain("button.close"), callbacks.pack(callbacks.CLOSE, form.digest))],
    ]
    text = f"{words('album.received', count=len(names))} {words('album.settings')}"
    message = await exchange.say(Html(text), rows)
    await _save(exchange, draft.model_copy(update={"message_id": message.message_id}))


async def album_chosen(exchange: Exchange, what: str) -> None:
    """A button below "I have 3 pictures"."""
    draft = await forms.draft_of(exchange)
    if draft is None or exchange.message is None or draft.message_id != exchange.message.message_id:
        await exchange.notice(exchange.words.plain("toast.form_expired"), alert=True)
        return
    form = await forms.form_of(exchange, draft.engine)
    first, second = [field for field in form.fields if field.kind is Kind.FILE][:2]
    names = draft.files.get(first.name, [])
    text = Html("")
    if what == STYLES:
        styles = names[1 : 1 + second.multiple[1]]
        if len(names) > 1 + len(styles):
            text = exchange.words("album.too_many", count=1 + len(styles))
        draft = draft.model_copy(update={"files": {first.name: names[:1], second.name: styles}})
        if text:
            await exchange.say(text)
        await forms.show_here(exchange, form, draft)
        return
    await exchange.change(Screen(exchange.words("album.received", count=len(names)), []))
    await forms.show_new(exchange, form, draft)


async def something_else(exchange: Exchange) -> None:
    """A sound, a film or a file that a question waits for; a sticker, or what nobody asked for: kindly no."""
    message = exchange.message
    assert message is not None
    if (found := file_of(message)) and await _answers(exchange, *found):
        return
    if message.sticker:
        raise Sorry("error.sticker")
    if message.voice or message.audio:
        raise Sorry("error.voice")
    if message.video or message.video_note or message.animation:
        raise Sorry("error.video")
    if message.document:
        raise Sorry("error.not_a_picture")
    raise Sorry("error.unasked")


async def _answers(exchange: Exchange, file: str, media_type: str) -> bool:
    """Whether the file was what a question waits for. Raises BadValue where there are too many."""
    try:
        return await forms.sent(exchange, [file], media_type)
    except BadValue as complaint:
        if complaint.code != "wrong_type":
            raise
        return False  # what is said of its kind says more


async def _save(exchange: Exchange, draft: Draft) -> None:
    await exchange.services.notes.save_draft(exchange.chat_id, exchange.user.id, draft)
