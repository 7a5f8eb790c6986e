"""Labels: an owner's own tags and metadata on a job, what they may be, and the text jobs are searched by."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from jobs.documents import JSONObject

MAX_TAGS = 10
MAX_TAG = 40
MAX_ENTRIES = 16
MAX_NAME = 40
#: Bytes of the metadata as JSON.
MAX_METADATA = 4096
#: Characters of a job that are searched: the rest of a long text is not found.
MAX_SEARCH = 1000
#: Words of one search.
MAX_WORDS = 8
#: Numbers that JavaScript, too, reads as they are.
_MAX_INTEGER = 2**53
#: How references begin: they are no words, though they are text.
_REFERENCES = ("art_", "net_", "data:", "https:", "http:")


def _tag(tag: str) -> str:
    if not 1 <= len(tag) <= MAX_TAG or tag != tag.strip() or "," in tag or not tag.isprintable():
        raise PydanticCustomError(
            "bad_tag", f"A tag is 1 to {MAX_TAG} printable characters, without commas and outer spaces."
        )
    return tag


def _once(tags: list[str]) -> list[str]:
    return list(dict.fromkeys(tags))


def _metadata(given: JSONObject) -> JSONObject:
    if len(given) > MAX_ENTRIES:
        raise PydanticCustomError("too_many_entries", f"There may be {MAX_ENTRIES} entries.")
    for name, value in given.items():
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise PydanticCustomError("bad_name", f"A name is 1 to {MAX_NAME} printable characters.")
        if not _is_plain(value):
            raise PydanticCustomError(
                "bad_value", "A value is a text without U+0000, a number, true, false or null."
            )
    if len(json.dumps(given, ensure_ascii=False).encode(errors="replace")) > MAX_METADATA:
        raise PydanticCustomError("too_long", f"As JSON there may be {MAX_METADATA} bytes.")
    return given


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, int):  # true and false as well
        return abs(value) <= _MAX_INTEGER
    if isinstance(value, float):
        return abs(value) < float("inf")
    return value is None


Tag = Annotated[
    str,
    AfterValidator(_tag),
    Field(json_schema_extra={"minLength": 1, "maxLength": MAX_TAG, "pattern": "^[^,]+$"}),
]
Tags = Annotated[list[Tag], AfterValidator(_once), Field(max_length=MAX_TAGS)]
Metadata = Annotated[
    JSONObject,
    AfterValidator(_metadata),
    Field(
        json_schema_extra={
            "maxProperties": MAX_ENTRIES,
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        }
    ),
]


#: What to look for: a tag, which need not be one that anybody has; and words.
WantedTag = Annotated[str, Field(min_length=1, max_length=MAX_TAG, pattern=r"^[^\x00]*$")]
WantedText = Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")]


def words_of(text: str) -> list[str]:
    """What has to occur. More words than MAX_WORDS: the last of them is the rest as it stands."""
    return folded(text).split(None, MAX_WORDS - 1)


def search_text(params: Mapping[str, object], tags: Sequence[str], metadata: Mapping[str, object]) -> str:
    """What a search looks through: tags, `name=value` of metadata, the words among the params; folded."""
    entries = (f"{k}={v if isinstance(v, str) else json.dumps(v)}" for k, v in metadata.items())
    return folded("\n".join([*tags, *entries, *_words(list(params.values()))]))[:MAX_SEARCH]


def folded(text: str) -> str:
    """Upper and lower case, and the ways to write a character, made one."""
    return unicodedata.normalize("NFKC", text[: 2 * MAX_SEARCH]).casefold()


def _words(value: object) -> Iterator[str]:
    """The texts in a value; neither references nor numbers."""
    if isinstance(value, str):
        if not value.startswith(_REFERENCES):
            yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from _words(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _words(inner)
