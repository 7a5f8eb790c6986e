"""What a draft looks like in a chat: one message, its text and its buttons."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot import callbacks
from bot.dialogue import Draft, asked, is_meant, missing, offered, value_of
from bot.forms import BadValue, Choice, Field, Form, Kind
from bot.texts import clean, clip, length
from bot.words import Html, Words

#: Rows of buttons on a screen, the ones that lead on and back among them.
MAX_ROWS = 8
#: Rows for settings or choices; where they need more, the last of these turns the page.
_ROWS = 6
#: UTF-16 code units that fit on a button: one of a row alone, two, three or four of them.
_FITS = {1: 34, 2: 19, 3: 11, 4: 7}
_BUTTON_LENGTH = 34
_VALUE_LENGTH = 80
_DESCRIPTION_LENGTH = 500
#: Lines of text about settings or engines: all of them together stay below a message's length.
_LINES = 18
_LINE_LENGTH = 120


@dataclass(frozen=True)
class Button:
    """One button of an inline keyboard; `text` is plain."""

    text: str
    data: str


@dataclass(frozen=True)
class Screen:
    """A message: its HTML and its buttons, row by row."""

    text: Html
    rows: list[list[Button]]


def button(text: str, verb: str, *args: str | int) -> Button:
    """A button of one line that fits; Telegram refuses an empty one."""
    return Button(clip(" ".join(text.split()), _BUTTON_LENGTH) or "…", callbacks.pack(verb, *args))


def screen(form: Form, draft: Draft, words: Words) -> Screen:
    """What is shown for a draft: the field that is asked for, or the summary."""
    field = asked(form, draft)
    shown = _summary(form, draft, words) if field is None else _question(form, draft, field, words)
    assert len(shown.rows) <= MAX_ROWS
    return shown


def menu(forms: Sequence[Form], words: Words, page: int = 0) -> Screen:
    """The engines to choose from."""
    lines = [
        words(
            "menu.line",
            title=clip(form.title, _VALUE_LENGTH),
            description=clip(form.description, _LINE_LENGTH),
        )
        for form in forms[:_LINES]
    ]
    buttons = [button(form.title, callbacks.ENGINE, form.engine) for form in forms]
    rows = _paged(_in_pairs(buttons), MAX_ROWS, page, words, lambda there: (callbacks.MENU, there))
    return Screen(words("menu.text", engines=Html("\n".join(lines))), rows)


def complaint(error: BadValue, words: Words) -> Html:
    """Why an answer does not fit."""
    return words(f"bad_value.{error.code}", **error.facts)


def value_text(field: Field, value: Any, words: Words) -> str:
    """A value as people read it; not HTML."""
    if value is None:
        return words.plain("form.automatic" if field.kind is not Kind.CHOICE else "form.off")
    if isinstance(value, bool):
        return words.plain("form.yes") if value else words.plain("form.no")
    if isinstance(value, int | float):
        return words.number(value)
    for choice in field.choices:
        if choice.value == value:
            return _choice_text(choice, words)
    return clip(value if isinstance(value, str) else _written(value, words), _VALUE_LENGTH)


def _summary(form: Form, draft: Draft, words: Words) -> Screen:
    digest = form.digest
    buttons = [
        _setting(form, field, draft, words)
        for field in form.fields
        if is_meant(field, form, draft) and field.advanced == draft.more
    ]
    rows = _paged(_in_pairs(buttons), _ROWS, draft.page, words, lambda there: (callbacks.PAGE, digest, there))
    if draft.more:
        last = [button(words.plain("button.back"), callbacks.BACK, digest)]
    else:
        last = [button(words.plain("button.close"), callbacks.CLOSE, digest)]
        if any(field.advanced for field in form.fields):
            last.insert(0, button(words.plain("button.more"), callbacks.MORE, digest))
    changed = [
        words(
            "form.line",
            title=clip(field.title, _VALUE_LENGTH),
            value=_now(field, draft, words),
        )
        for field in form.fields
        if (field.name in draft.values and is_meant(field, form, draft)) or draft.files.get(field.name)
    ]
    text = words(
        "form.summary",
        title=clip(form.title, _LINE_LENGTH),
        description=clip(form.description, _DESCRIPTION_LENGTH),
        settings=Html("".join(f"\n{line}" for line in changed[:_LINES])),
    )
    go = button(words.plain("button.go"), callbacks.GO, digest)
    return Screen(text, [[go], *rows, last])


def _setting(form: Form, field: Field, draft: Draft, words: Words) -> Button:
    """A setting's button on the summary: a switch is turned by it, anything else opened."""
    text = words.plain("form.setting", title=field.title, value=_now(field, draft, words))
    number = form.fields.index(field)
    if field.kind is Kind.SWITCH:
        return button(text, callbacks.SET, form.digest, number, 0 if value_of(field, draft) else 1)
    return button(text, callbacks.ASK, form.digest, number, 0)


def _now(field: Field, draft: Draft, words: Words) -> str:
    """What a field is set to; not HTML."""
    if field.kind is not Kind.FILE:
        return value_text(field, value_of(field, draft), words)
    files = draft.files.get(field.name, [])
    if len(files) == 1:
        for choice in field.choices:
            if choice.value == files[0]:
                return _choice_text(choice, words)
    return words.plain("form.pictures", count=len(files))


def _question(form: Form, draft: Draft, field: Field, words: Words) -> Screen:
    digest, number = form.digest, form.fields.index(field)
    now = value_of(field, draft)
    chosen = draft.files.get(field.name, []) if field.kind is Kind.FILE else [now]
    buttons = []
    for index, choice in enumerate(offered(field)):
        text = _choice_text(choice, words)
        if any(choice.value == one for one in chosen):
            text = words.plain("form.chosen", value=text)
        buttons.append(button(text, callbacks.SET, digest, number, index))
    if field.kind is Kind.SWITCH:
        buttons = [
            button(words.plain("form.yes"), callbacks.SET, digest, number, 1),
            button(words.plain("form.no"), callbacks.SET, digest, number, 0),
        ]
    rows = _paged(
        _in_columns(buttons),
        _ROWS,
        draft.page,
        words,
        lambda there: (callbacks.ASK, digest, number, there),
    )
    last = []
    if field.name in draft.values or draft.files.get(field.name):
        key = "button.remove" if field.kind is Kind.FILE else "button.default"
        last.append(button(words.plain(key), callbacks.CLEAR, digest, number))
    if draft.asking is not None and (missing(form, draft) is not field):
        last.append(button(words.plain("button.back"), callbacks.BACK, digest))
    else:
        last.append(button(words.plain("button.close"), callbacks.CLOSE, digest))
    return Screen(_question_text(draft, field, words), [*rows, last])


def _question_text(draft: Draft, field: Field, words: Words) -> Html:
    title = clip(field.title, _LINE_LENGTH)
    description = Html(html.escape(clip(field.description, _DESCRIPTION_LENGTH), quote=False))
    if field.ends is not None and field.minimum is not None and field.maximum is not None:
        low, high = (clip(end, _LINE_LENGTH) for end in field.ends)
        ends = words("form.ends", minimum=field.minimum, low=low, maximum=field.maximum, high=high)
        description = Html(f"{description}\n{ends}")
    if field.kind is Kind.FILE:
        hint = _file_hint(field, draft, words)
    elif field.kind is Kind.NETWORK and not field.choices:
        hint = words("form.no_networks")
    elif field.kind in (Kind.CHOICE, Kind.SWITCH, Kind.NETWORK):
        hint = words("form.choose")
    elif field.minimum is not None and field.maximum is not None and field.presets:
        hint = words("form.write_between", minimum=field.minimum, maximum=field.maximum)
    else:
        hint = words("form.write")
    return words("form.question", title=title, description=description, hint=hint)


def _file_hint(field: Field, draft: Draft, words: Words) -> Html:
    sent, most = len(draft.files.get(field.name, ())), field.multiple[1]
    if not any(one.startswith("image/") for one in field.accept):
        return words("form.send_file")
    if most == 1:
        return words("form.send_or_choose") if field.choices else words("form.send_picture")
    if sent:
        return words("form.send_more", sent=sent, count=most - sent)
    return words("form.send_some_or_choose" if field.choices else "form.send_some", count=most)


def _choice_text(choice: Choice, words: Words) -> str:
    if choice.value is None:
        return words.plain("form.off")
    if isinstance(choice.value, int | float) and not isinstance(choice.value, bool):
        return words.number(choice.value)
    return clip(clean(choice.title), _VALUE_LENGTH)


def _written(value: Any, words: Words) -> str:
    """A list or an object in the way it may be typed."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={_written(inner, words)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_written(inner, words) for inner in value)
    return words.number(value) if isinstance(value, int | float) else str(value)


def _in_pairs(buttons: Sequence[Button]) -> list[list[Button]]:
    """Two in a row where both are short enough, in their order."""
    rows: list[list[Button]] = []
    for one in buttons:
        before = rows[-1] if rows else []
        if len(before) == 1 and max(length(before[0].text), length(one.text)) <= _FITS[2]:
            before.append(one)
        else:
            rows.append([one])
    return rows


def _in_columns(buttons: Sequence[Button]) -> list[list[Button]]:
    """As many columns as the longest text lets fit, four at most."""
    longest = max((length(button.text) for button in buttons), default=0)
    columns = max((n for n, fits in _FITS.items() if longest <= fits), default=1)
    return [list(buttons[start : start + columns]) for start in range(0, len(buttons), columns)]


def _paged(
    rows: list[list[Button]], most: int, page: int, words: Words, turn: Callable[[int], tuple[str | int, ...]]
) -> list[list[Button]]:
    """All rows if they fit, or else one page of them and a row that turns it."""
    if len(rows) <= most:
        return rows
    pages = -(-len(rows) // (most - 1))
    page = min(page, pages - 1)
    turning = []
    for there, key in ((page - 1, "button.previous"), (page + 1, "button.next")):
        if 0 <= there < pages:
            verb, *args = turn(there)
            text = words.plain(key, page=there + 1, pages=pages)
            turning.append(button(text, str(verb), *args))
    return [*rows[page * (most - 1) : (page + 1) * (most - 1)], turning]
