"""A finished job -> what is sent for it, part by part. Nothing here talks to anybody.

The first part, `face`, takes the place of the job's message: a picture, a film, a sound, a text (a short one,
or what JSON says, whose files are not sent) or a file.
The others are messages of their own: further pictures as albums, then all pictures as files, which Telegram
leaves as they are, then everything else. What is too large for Telegram is named in a text, with links.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from bot import callbacks, hints
from bot.screens import Button
from bot.sending import ALBUM, PHOTO_BYTES, PHOTO_RATIO, PHOTO_SIDES, Kind
from bot.texts import bar, clean, clip, length
from bot.words import Html, Words

Json = dict[str, Any]

FACE = "face"
_PICTURES_OF = "pictures"
#: What Telegram shows as a picture, if it does not move.
_PICTURES = ("image/png", "image/jpeg", "image/webp")
_FILM = "video/mp4"
#: What Telegram plays as music (sendAudio).
_SOUNDS = ("audio/mpeg", "audio/mp4")
_TEXT = "text/plain"
_JSON = "application/json"
#: Characters of a JSON result that are shown as they are; the rest is in the file.
_SHOWN = 500
#: UTF-16 units of a text that is shown as it is; what the job is and how long it took stand above it.
_SHORT = 3000
_NAME_LENGTH = 64
_NOTHING = Html("")


@dataclass(frozen=True)
class Part:
    """One thing to send. Without a `kind` it is a text, else the text is its caption."""

    name: str
    kind: Kind | None
    files: tuple[Json, ...] = ()
    text: Html = _NOTHING

    @property
    def size(self) -> int:
        """Bytes to send."""
        return sum(file["size"] for file in self.files)


def parts(job: Json, engine: Json, words: Words, limit: int, link: Callable[[str], str]) -> list[Part]:
    """What to send for a job that succeeded, the face first. `limit`: bytes that Telegram takes at once.

    `engine` says what the labels in its results are called.
    """
    files: list[Json] = job["artifacts"]
    large = [file for file in files if file["size"] > limit]
    small = [file for file in files if file["size"] <= limit]
    pictures = [file for file in small if _is_photo(file)]
    films = [file for file in small if file["media_type"] == _FILM]
    sounds = [file for file in small if file["media_type"] in _SOUNDS]
    answer = _answer(job, engine.get("labels", {}), words)
    said = _short(small) if answer is None else [f for f in small if f["media_type"] == _JSON]
    text = _together(said) if answer is None and said else answer
    rest = [f for f in small if f not in (*pictures, *films, *sounds, *said)]

    found: list[Part] = []
    if pictures:
        found.append(Part(FACE, Kind.PHOTO, (pictures[0],)))
    elif films:
        found.append(Part(FACE, Kind.ANIMATION, (films.pop(0),)))
    elif sounds:
        found.append(Part(FACE, Kind.AUDIO, (sounds.pop(0),)))
    elif text is not None:
        found.append(Part(FACE, None, text=text))
    elif rest:
        found.append(Part(FACE, Kind.DOCUMENT, (rest.pop(0),)))
    else:
        found.append(Part(FACE, None, text=links(large, words, link)))
        large = []
    found += _albums(_PICTURES_OF, Kind.PHOTO, pictures[1:], limit)
    found += [Part(f"film-{number}", Kind.ANIMATION, (film,)) for number, film in enumerate(films)]
    found += [Part(f"sound-{number}", Kind.AUDIO, (sound,)) for number, sound in enumerate(sounds)]
    if answer is None and text is not None and found[0].kind is not None:
        found.append(Part("text", None, text=text))
    files_as_they_are = list(_albums("files", Kind.DOCUMENT, [*pictures, *rest], limit))
    if pictures:
        files_as_they_are[0] = replace(files_as_they_are[0], text=words("result.full_quality"))
    found += files_as_they_are
    if large:
        found.append(Part("links", None, text=links(large, words, link)))
    return found


def lesser(part: Part, words: Words, link: Callable[[str], str]) -> Part | None:
    """What to send where Telegram did not take a part: for a picture a file, for a file a link."""
    if part.kind is None or part.name.startswith(_PICTURES_OF):
        return None  # such pictures are sent as files anyway
    if part.kind is Kind.DOCUMENT:
        return replace(part, kind=None, text=links(part.files, words, link))
    return replace(part, kind=Kind.DOCUMENT)


def links(files: Iterable[Json], words: Words, link: Callable[[str], str]) -> Html:
    """Where the files are to be had."""
    lines = [
        words("result.too_large", url=_anchor(link(file["url"]), file["name"]), size=_megabytes(file))
        for file in files
    ]
    return Html("\n".join(lines))


def caption(job: Json, title: str, words: Words) -> Html:
    """What stands beside a picture or a file; `title` is the engine's."""
    return words("result.caption", engine=title, seed=str(job["seed"]))


def heading(job: Json, title: str, words: Words) -> Html:
    """What stands above a result that is a text."""
    took = job["timings"]["run"] or 0.0
    if job["stages"]:  # it was queued while its parts were made
        took += job["timings"]["queued"]
    return words("job.succeeded", engine=title, took=words.duration(took))


def buttons(job: Json, engine: Json, words: Words) -> list[list[Button]]:
    """What can be done with a job that is over. `engine` says which fields there are."""
    schema = engine["params_schema"]
    if job["state"] != "succeeded":
        # What its parts have made is kept.
        return [[_button(words, "go_on" if job["stages"] else "retry", callbacks.RETRY, job["id"])]]
    rows = [[_button(words, "again", callbacks.AGAIN, job["id"])]]
    if hints.of_role(schema, "seed") is not None:
        rows[0].append(_button(words, "variation", callbacks.VARIATION, job["id"]))
    if (strength := hints.of_role(schema, "strength")) is not None:
        rows.append(list(_strengths(job, strength, schema["properties"][strength], words)))
    last = [_button(words, "share", callbacks.SHARE, job["id"])]
    if any(_is_photo(file) for file in job["artifacts"]):
        last.insert(0, _button(words, "use_as_input", callbacks.USE, job["id"]))
    return [row for row in (*rows, last) if row]


def _strengths(job: Json, name: str, field: Json, words: Words) -> Iterator[Button]:
    """Neither at the end of the range leads anywhere."""
    strength = job["params"].get(name, field.get("default"))
    if not isinstance(strength, int | float):
        return
    if strength > field.get("minimum", float("-inf")):
        yield _button(words, "weaker", callbacks.WEAKER, job["id"])
    if strength < field.get("maximum", float("inf")):
        yield _button(words, "stronger", callbacks.STRONGER, job["id"])


def _button(words: Words, name: str, verb: str, job_id: str) -> Button:
    return Button(words.plain(f"button.{name}"), callbacks.pack(verb, job_id))


def _is_photo(file: Json) -> bool:
    """Whether Telegram takes it as a photo. Pictures that move say how many `frames` they have."""
    if file["media_type"] not in _PICTURES or "frames" in file["meta"] or file["size"] > PHOTO_BYTES:
        return False
    width, height = file["width"], file["height"]
    if not width or not height:
        return True  # unknown; `lesser` helps where it was too much
    return bool(width + height <= PHOTO_SIDES and max(width, height) <= PHOTO_RATIO * min(width, height))


def _albums(name: str, kind: Kind, files: Sequence[Json], limit: int) -> Iterator[Part]:
    """Files of one kind as few messages: ten in each, and no more bytes than Telegram takes."""
    group: list[Json] = []
    number = 0
    for file in [*files, None]:
        full = file is None or len(group) == ALBUM[1] or sum(f["size"] for f in [*group, file]) > limit
        if full and group:
            yield Part(f"{name}-{number}", kind, tuple(group))
            group, number = [], number + 1
        if file is not None:
            group.append(file)


def _answer(job: Json, labels: Mapping[str, str], words: Words) -> Html | None:
    """What a JSON result says; None where there is none. It is in the artifact's `meta` as well."""
    for file in job["artifacts"]:
        if file["media_type"] == _JSON and file["meta"]:
            meta = file["meta"]
            return _ranking(meta, labels, words) or _plain_json(meta)
    return None


def _short(files: Sequence[Json]) -> list[Json]:
    """The texts that are shown instead of being sent as files: all, or none where they are too long."""
    texts = [file for file in files if file["media_type"] == _TEXT and isinstance(file.get("text"), str)]
    return texts if texts and 0 < length(_together(texts)) <= _SHORT else []


def _together(texts: Sequence[Json]) -> Html:
    """What they say, one below the other."""
    said = (clean(file["text"]).strip() for file in texts)
    return Html(_escaped("\n\n".join(one for one in said if one)))


def _ranking(meta: Json, labels: Mapping[str, str], words: Words) -> Html | None:
    """A label and its rivals, each an object of one name and one share; None where it is no such thing."""
    label, top = meta.get("label"), meta.get("top")
    rivals = [_rival(one) for one in top] if isinstance(top, list) else []
    if not isinstance(label, str) or not rivals or None in rivals:
        return None
    shares = dict(rival for rival in rivals if rival is not None)
    lines = []
    if label in shares:
        share = shares.pop(label)
        lines.append(words("result.label", label=_label(label, labels), percent=_percent(share)))
    else:
        lines.append(words("result.answer", label=_label(label, labels)))
    for name, share in shares.items():
        said = words("result.other_label", label=_label(name, labels), percent=_percent(share))
        lines.append(Html(f"{bar(share)} {said}"))
    return Html("\n".join(lines))


def _rival(one: Any) -> tuple[str, float] | None:
    values = list(one.values()) if isinstance(one, dict) else []
    names = [value for value in values if isinstance(value, str)]
    shares = [value for value in values if isinstance(value, float | int)]
    return (names[0], float(shares[0])) if len(names) == len(shares) == 1 else None


def _label(label: str, labels: Mapping[str, str]) -> str:
    return labels.get(label) or label.replace("_", " ").capitalize()


def _percent(share: float) -> float:
    return round(100 * share, 1)


def _plain_json(meta: Json) -> Html:
    simple = {k: v for k, v in meta.items() if isinstance(v, str | int | float | bool)}
    text = "\n".join(f"{name}: {value}" for name, value in simple.items())
    return Html(f"<pre>{_escaped(clip(clean(text), _SHOWN))}</pre>")


def _anchor(url: str, name: str) -> Html:
    # Telegram drops links to names without a dot (localhost) and keeps their text alone.
    if "." not in (urlsplit(url).hostname or ""):
        return Html(_escaped(url))
    return Html(f'<a href="{html.escape(url)}">{_escaped(clip(clean(name), _NAME_LENGTH))}</a>')


def _megabytes(file: Json) -> float:
    size: int = file["size"]
    return round(size / 1_000_000, 1)


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)
