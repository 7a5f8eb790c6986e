"""/new: everything there is, and the way from there to a form."""

from __future__ import annotations

import json

from bot import callbacks, dialogue, screens
from bot.accounts import NotAllowed
from bot.dialogue import Draft
from bot.exchanges import Exchange
from bot.forms import BadValue, Form, Kind, NotAForm
from bot.handlers import forms
from bot.screens import Button
from bot.words import Html


async def new(exchange: Exchange, args: str) -> None:
    """/new, /new <engine>, and /new <engine> <settings as JSON>, as "Share settings" writes it."""
    engine, _, settings = args.strip().partition(" ")
    if not engine:
        await _must_be_allowed(exchange)
        await show(exchange)
        return
    known = _shared(settings)
    try:
        form, draft = await forms.begin(exchange, engine.lower(), **known)
    except KeyError as error:
        raise BadValue("unknown_name", name=str(error.args[0])) from error
    await forms.show_new(exchange, form, draft)


async def show(exchange: Exchange, above: Html | None = None) -> None:
    """The engines to choose from, in a new message; with a text above them."""
    shown = screens.menu(await _all_forms(exchange), exchange.words)
    text = Html(f"{above}\n\n{shown.text}") if above is not None else shown.text
    await exchange.say(text, shown.rows)


async def page(exchange: Exchange, args: tuple[str, ...]) -> None:
    """Another page of them, in the message that was tapped."""
    number = int(args[0]) if args and args[0].isascii() and args[0].isdigit() else 0
    await exchange.change(screens.menu(await _all_forms(exchange), exchange.words, number))


async def chosen(exchange: Exchange, engine: str) -> None:
    """An engine's button: its form. A picture that the tapped form had goes along."""
    before = await forms.draft_of(exchange)
    form, draft = await forms.begin(exchange, engine)
    if (
        before is not None
        and exchange.message is not None
        and before.message_id == exchange.message.message_id
    ):
        draft = _with_pictures(form, draft, before)
    if form.asks_nothing_more and dialogue.missing(form, draft) is None:
        await forms.proceed(exchange, form, draft)
        return
    field = dialogue.asked(form, draft)
    if field is not None and exchange.services.gallery.suits(field):
        await forms.show_new(exchange, form, draft)  # with the style pictures
    else:
        await forms.show_here(exchange, form, draft)


async def others_for_picture(exchange: Exchange, besides: str) -> list[list[Button]]:
    """Buttons of the other engines that need one picture and nothing else."""
    row = []
    for form in await _all_forms(exchange):
        needed = [field for field in form.fields if field.required]
        if form.engine != besides and len(needed) == 1 and _takes_picture(form):
            row.append(screens.button(form.title, callbacks.ENGINE, form.engine))
    return [row] if row else []


async def _all_forms(exchange: Exchange) -> list[Form]:
    found = []
    for engine in await exchange.services.api.engines(exchange.words.language):
        try:
            found.append(Form.of(engine))
        except NotAForm:
            continue  # of a newer API, with something that we cannot ask for
    return found


async def _must_be_allowed(exchange: Exchange) -> None:
    if not await exchange.services.accounts.is_allowed(exchange.user.id):
        raise NotAllowed


def _takes_picture(form: Form) -> bool:
    return any(
        field.required and field.kind is Kind.FILE and "image/jpeg" in field.accept for field in form.fields
    )


def _with_pictures(form: Form, draft: Draft, before: Draft) -> Draft:
    """The first picture of another form as this one's."""
    pictures = [file for files in before.files.values() for file in files]
    for field in form.fields:
        if pictures and field.required and field.kind is Kind.FILE:
            return draft.model_copy(update={"files": {field.name: pictures[:1]}})
    return draft


def _shared(text: str) -> dict[str, object]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadValue("not_json") from error
    if not isinstance(found, dict):
        raise BadValue("not_json")
    # Files belong to who has them, and a message cannot carry them.
    return {name: value for name, value in found.items() if value is not None}
