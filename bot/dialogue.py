"""A dialogue that fills in a form: what a tap, a text or a picture makes of a draft. `bot.screens` shows it.

Nothing here talks to anybody. Files of a draft are named by text: a file id of Telegram, `artifact:<id>` for
one that the API has, `gallery:<name>` for one of the bot's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from bot import callbacks
from bot.forms import BadValue, Choice, Field, Form, Kind

Json = dict[str, Any]

_ARTIFACT, GALLERY = "artifact:", "gallery:"


class Unasked(Exception):
    """A text or a file came and no field waits for one."""


class Outdated(Exception):
    """The button belongs to a form that looks different by now."""


class Draft(BaseModel):
    """A half-filled form, as it lies in the notes."""

    model_config = ConfigDict(frozen=True)

    engine: str
    values: Json = {}
    files: dict[str, list[str]] = {}
    #: The field whose screen is shown; None: whatever is required and missing, or else the summary.
    asking: str | None = None
    #: The message that shows the form.
    message_id: int | None = None
    #: Whether the summary shows the advanced settings.
    more: bool = False
    #: Of a screen with more buttons than fit.
    page: int = 0


@dataclass(frozen=True)
class Tap:
    """A button of the form was tapped: what `callbacks.unpack` gave."""

    verb: str
    args: tuple[str, ...]


@dataclass(frozen=True)
class Typed:
    """Free text came."""

    text: str


@dataclass(frozen=True)
class Sent:
    """Files came, several as an album."""

    files: tuple[str, ...]
    media_type: str


Action = Tap | Typed | Sent


class Source(NamedTuple):
    """Where a draft's file is to be had."""

    kind: Literal["telegram", "artifact", "gallery"]
    id: str


def from_artifact(artifact_id: str) -> str:
    """A draft's name for a file that the API has."""
    return _ARTIFACT + artifact_id


def from_gallery(name: str) -> str:
    """A draft's name for a picture of the bot's own; the value of a `Choice` of a file field."""
    return GALLERY + name


def source(file: str) -> Source:
    """Where to get a draft's file."""
    if file.startswith(_ARTIFACT):
        return Source("artifact", file.removeprefix(_ARTIFACT))
    if file.startswith(GALLERY):
        return Source("gallery", file.removeprefix(GALLERY))
    return Source("telegram", file)


def start(form: Form, settings: Mapping[str, Any] | None = None, **known: Any) -> Draft:
    """A new draft: what the user set for all forms where this one takes it, and the `known` values.

    `settings` are by the roles of fields. A required field with one choice alone has it already. `known` may
    be the params of a job: its files are artifacts then. Raises BadValue for a value that does not fit and
    KeyError for a field there is not.
    """
    values: Json = {}
    files: dict[str, list[str]] = {}
    for field in form.fields:
        if field.role is not None and field.role in (settings or {}) and field.kind is not Kind.FILE:
            values |= _fitting(field, (settings or {})[field.role])
        if field.required and field.kind is not Kind.FILE and len(field.choices) == 1:
            values[field.name] = field.choices[0].value
    for name, value in known.items():
        if form[name].kind is Kind.FILE:
            files[name] = [from_artifact(one) for one in (value if isinstance(value, list) else [value])]
        else:
            form[name].check(value)
            values[name] = value
    return Draft(engine=form.engine, values=values, files=files)


def missing(form: Form, draft: Draft) -> Field | None:
    """The first required field without a value; None: the draft can be handed in."""
    for field in form.fields:
        if not field.required:
            continue
        if field.kind is Kind.FILE:
            if len(draft.files.get(field.name, ())) < field.multiple[0]:
                return field
        elif field.name not in draft.values:
            return field
    return None


def asked(form: Form, draft: Draft) -> Field | None:
    """The field that an answer would go to; None on the summary."""
    for field in form.fields:
        if field.name == draft.asking:
            return field
    return missing(form, draft)


def params(form: Form, draft: Draft) -> Json:
    """What is handed in, but for the files: what was set, without what means nothing as things stand."""
    known = {field.name: field for field in form.fields}
    return {
        name: value
        for name, value in draft.values.items()
        if name in known and is_meant(known[name], form, draft)
        # Left out is not the same as null where null is not the default.
        if value is not None or known[name].default is not None
    }


def apply(form: Form, draft: Draft, action: Action) -> Draft:
    """The draft after an action. The verbs GO and CLOSE change nothing: they are the caller's.

    Raises BadValue for an answer that does not fit, Unasked where no field waits for one, and Outdated for a
    button that the form does not have (any more).
    """
    match action:
        case Typed(text):
            return _typed(form, draft, text)
        case Sent(files, media_type):
            return _sent(form, draft, files, media_type)
        case Tap(verb, args):
            return _tapped(form, draft, verb, args)


def _typed(form: Form, draft: Draft, text: str) -> Draft:
    field = asked(form, draft)
    if field is None:
        raise Unasked
    return _with(draft, field.name, field.parse(text))


def _sent(form: Form, draft: Draft, files: Sequence[str], media_type: str) -> Draft:
    """The files go to the field that is asked for, what it has no room for to those still missing."""
    field = asked(form, draft)
    if field is None or field.kind is not Kind.FILE:
        raise Unasked
    if field.accept and media_type not in field.accept:
        raise BadValue("wrong_type", media_type=media_type)
    left = list(files)
    while left and field is not None and field.kind is Kind.FILE:
        most = field.multiple[1]
        before = draft.files.get(field.name, []) if most > 1 else []
        if not (taken := left[: max(most - len(before), 0)]):
            raise BadValue("too_many", maximum=most)
        left = left[len(taken) :]
        draft = _changed(draft, files={**draft.files, field.name: [*before, *taken]})
        field = missing(form, draft)
        if field is not None and field.accept and media_type not in field.accept:
            break
    return draft


def _tapped(form: Form, draft: Draft, verb: str, args: tuple[str, ...]) -> Draft:
    if verb not in callbacks.OF_A_FORM or args[0] != form.digest:
        raise Outdated
    match verb:
        case callbacks.GO | callbacks.CLOSE:
            return draft
        case callbacks.BACK:
            # From a question to the screen it was opened on, from there to the short form.
            return _changed(draft, more=draft.more and draft.asking is not None)
        case callbacks.MORE:
            return _changed(draft, more=True)
        case callbacks.PAGE:
            return _changed(draft, page=_index(args[1], None))
    field = form.fields[_index(args[1], form.fields)]
    match verb:
        case callbacks.ASK:
            return draft.model_copy(update={"asking": field.name, "page": _index(args[2], None)})
        case callbacks.SET:
            return _chosen(draft, field, args[2])
        case callbacks.CLEAR:
            values = {name: value for name, value in draft.values.items() if name != field.name}
            files = {name: some for name, some in draft.files.items() if name != field.name}
            return _changed(draft, values=values, files=files)
    raise Outdated


def _chosen(draft: Draft, field: Field, number: str) -> Draft:
    if field.kind is Kind.SWITCH:
        turned = {**draft.values, field.name: _index(number, (0, 1)) == 1}
        return _changed(draft, values=turned, page=draft.page)
    choices = offered(field)
    choice = choices[_index(number, choices)]
    if field.kind is not Kind.FILE:
        return _with(draft, field.name, choice.value)
    before = draft.files.get(field.name, []) if field.multiple[1] > 1 else []
    if choice.value in before:
        return _changed(draft)
    if len(before) >= field.multiple[1]:
        raise BadValue("too_many", maximum=field.multiple[1])
    return _changed(draft, files={**draft.files, field.name: [*before, choice.value]})


def _with(draft: Draft, name: str, value: Any) -> Draft:
    return _changed(draft, values={**draft.values, name: value})


def _changed(draft: Draft, **changes: Any) -> Draft:
    """With these changes, and no field asked for any more."""
    return draft.model_copy(update={"asking": None, "page": 0, **changes})


def _index(text: str, of: Sequence[Any] | None) -> int:
    """A number from a button. Raises Outdated."""
    if not (text.isascii() and text.isdigit() and len(text) < 5) or (of is not None and int(text) >= len(of)):
        raise Outdated
    return int(text)


def _fitting(field: Field, wanted: Any) -> Json:
    """What of a setting for all forms this field can take: a number is moved between its bounds."""
    if isinstance(wanted, int | float) and field.kind in (Kind.NUMBER, Kind.WHOLE):
        low, high = field.minimum, field.maximum
        wanted = max(wanted, low) if low is not None else wanted
        wanted = min(wanted, high) if high is not None else wanted
    try:
        field.check(wanted)
    except BadValue:
        return {}
    return {field.name: wanted}


def offered(field: Field) -> tuple[Choice, ...]:
    """What a question's buttons are for, in their order."""
    return field.choices or tuple(Choice.of(value) for value in field.presets)


def is_meant(field: Field, form: Form, draft: Draft) -> bool:
    """Whether the field means something: what it needs is set."""
    return field.needs is None or bool(value_of(form[field.needs], draft))


def value_of(field: Field, draft: Draft) -> Any:
    """What it is set to, or its default; None for files."""
    return draft.values.get(field.name, field.default)
