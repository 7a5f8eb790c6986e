"""/new: everything there is, and the way from there to a form."""

from __future__ import annotations

import json

from bot import callbacks, dialogue, screens
from bot.accounts import NotAllowed
from bot.dialogue import Draft
from bot.forms import BadValue, Form, Kind, NotAForm
from bot.handlers import forms
from bot.screens import Button
from bot.turns import Turn
from bot.words import Html


async def new(turn: Turn, args: str) -> None:
    """/new, /new <engine>, and /new <engine> <settings as JSON>, as "Share settings" writes it."""
    engine, _, settings = args.strip().partition(" ")
    if not engine:
        await _must_be_allowed(turn)
        await show(turn)
        return
    known = _shared(settings)
    try:
        form, draft = await forms.begin(turn, engine.lower(), **known)
    except KeyError as error:
        raise BadValue("unknown_name", name=str(error.args[0])) from error
    await forms.show_new(turn, form, draft)


async def show(turn: Turn, above: Html | None = None) -> None:
    """The engines to choose from, in a new message; with a text above them."""
    shown = screens.menu(await _all_forms(turn), turn.words)
    text = Html(f"{above}\n\n{shown.text}") if above is not None else shown.text
    await turn.say(text, shown.rows)


async def page(turn: Turn, args: tuple[str, ...]) -> None:
    """Another page of them, in the message that was tapped."""
    number = int(args[0]) if args and args[0].isascii() and args[0].isdigit() else 0
    await turn.change(screens.menu(await _all_forms(turn), turn.words, number))


async def chosen(turn: Turn, engine: str) -> None:
    """An engine's button: its form. A picture that the tapped form had goes along."""
    before = await forms.draft_of(turn)
    form, draft = await forms.begin(turn, engine)
    if before is not None and turn.message is not None and before.message_id == turn.message.message_id:
        draft = _with_pictures(form, draft, before)
    if form.asks_nothing_more and dialogue.missing(form, draft) is None:
        await forms.proceed(turn, form, draft)
        return
    field = dialogue.asked(form, draft)
    if field is not None and turn.services.gallery.suits(field):
        await forms.show_new(turn, form, draft)  # with the style pictures
    else:
        await forms.show_here(turn, form, draft)


async def others_for_picture(turn: Turn, besides: str) -> list[list[Button]]:
    """Buttons of the other engines that need one picture and nothing else."""
    row = []
    for form in await _all_forms(turn):
        needed = [field for field in form.fields if field.required]
        if form.engine != besides and len(needed) == 1 and _takes_picture(form):
            row.append(screens.button(form.title, callbacks.ENGINE, form.engine))
    return [row] if row else []


async def _all_forms(turn: Turn) -> list[Form]:
    found = []
    for engine in await turn.services.api.engines(turn.words.language):
        try:
            found.append(Form.of(engine))
        except NotAForm:
            continue  # of a newer API, with something that we cannot ask for
    return found


async def _must_be_allowed(turn: Turn) -> None:
    if not await turn.services.accounts.is_allowed(turn.user.id):
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
