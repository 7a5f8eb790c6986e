"""The contract's fields that mean more than their text: what they take, and what forms are told of them."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from engines.base import (
    AUDIO_TYPES,
    IMAGE_TYPES,
    TEXT_TYPES,
    ArtifactField,
    AudioRef,
    EngineSpec,
    ImageRef,
    NetworkRef,
    Params,
    TextRef,
)


class Everything(Params):
    """A field of each kind."""

    png: Annotated[str, ArtifactField(("image/png",))] | None = Field(default=None, description="A PNG.")
    pictures: list[ImageRef] = Field(default=[], max_length=4, description="Pictures.")
    song: AudioRef | None = Field(default=None, description="A sound.")
    words: TextRef | None = Field(default=None, description="A text.")
    network: Annotated[str, NetworkRef("stylegan", ("planets",))] = Field(
        default="planets", description="A network."
    )


SPEC = EngineSpec("everything", "", "", Everything, ("text/plain",), {})
PNG = "https://example.org/a.png"


def test_each_kind_of_file_is_known_by_what_it_takes():
    assert {name: (field.accept, field.multiple) for name, field in SPEC.file_params.items()} == {
        "png": (("image/png",), False),
        "pictures": (IMAGE_TYPES, True),
        "song": (AUDIO_TYPES, False),
        "words": (TEXT_TYPES, False),
    }
    assert SPEC.network_params["network"].shipped == ("planets",)


def test_forms_are_told_what_a_field_takes():
    schema = Everything.model_json_schema()["properties"]
    song, _ = schema["song"]["anyOf"]
    assert song["x-artifact"] == {"accept": list(AUDIO_TYPES)}
    assert song["type"] == "string"
    assert schema["pictures"]["items"]["x-artifact"] == {"accept": list(IMAGE_TYPES)}
    assert schema["network"]["x-network"] == {"kind": "stylegan", "shipped": ["planets"]}


@pytest.mark.parametrize("ref", ["art_1", "data:audio/mpeg;base64,AAAA", "https://example.org/a"])
def test_a_file_is_named_in_three_ways(ref):
    assert Everything(song=ref).song == ref


@pytest.mark.parametrize("ref", ["", "song.mp3", "file:///etc/passwd", "art_"])
def test_what_names_none_is_refused(ref):
    with pytest.raises(ValidationError, match="must be a file id"):
        Everything(song=ref)


@pytest.mark.parametrize("name", ["", "A name", "net_1"])
def test_what_names_no_network_is_refused(name):
    with pytest.raises(ValidationError, match="must be a network's name"):
        Everything(network=name)


@pytest.mark.parametrize(
    ("params", "accepted"),
    [
        ({"png": PNG}, ("image/png",)),
        ({"pictures": ["art_1", PNG]}, IMAGE_TYPES),
        ({"pictures": [PNG], "png": PNG}, ("image/png",)),
        ({"png": PNG, "song": PNG}, ()),
        ({"words": "https://example.org/b"}, None),
        ({}, None),
    ],
    ids=["one", "list", "both", "neither", "another", "none"],
)
def test_a_file_must_please_every_field_that_names_it(params, accepted):
    assert SPEC.accepted(params, PNG) == accepted
