"""From a JSON Schema to options, and back to params."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel, Field

from cli import options
from engines.base import ImageRef, NetworkRef


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


class Example(BaseModel):
    photo: ImageRef = Field(description="The photograph.")
    styles: list[ImageRef] | ImageRef = Field(description="One or several.")
    weights: list[float] | None = Field(default=None, max_length=4, description="Shares.")
    colour: Colour = Field(default=Colour.RED, description="A colour.")
    strength: float = Field(default=0.5, ge=0, lt=1, description="How much.")
    steps: int | None = Field(default=None, gt=0, le=10, description="How many.")
    tile: bool = Field(default=False, description="Whether to tile.")
    place: Literal["here", "there"] | dict[str, float] = Field(
        default="here", description="A word or shares."
    )
    network: Annotated[str, NetworkRef("stylegan", shipped=("planets",))] = Field(
        default="planets", description="A network."
    )
    json_: dict[str, int] | None = Field(default=None, alias="json", description="Anything.")


@pytest.fixture
def run(tmp_path):
    photo = tmp_path / "a.png"
    photo.write_bytes(b"png")

    def run(*arguments: str):
        seen = {}
        command = click.Command(
            "x",
            params=options.options(Example.model_json_schema()),
            callback=lambda **given: seen.update(given),
        )
        result = CliRunner().invoke(command, ["--photo", str(photo), "--styles", "art_1", *arguments])
        return result, options.values(seen)

    run.photo = str(photo)
    return run


def test_only_what_was_given_is_sent(run):
    result, sent = run()

    assert result.exit_code == 0, result.output
    assert sent == {"photo": run.photo, "styles": ["art_1"]}


def test_every_kind_of_value(run):
    _result, sent = run(
        *("--styles", "https://example.org/a.jpg", "--weights", "1", "--weights", "0.5", "--colour", "blue"),
        *("--strength", "0.25", "--steps", "3", "--no-tile", "--param-json", '{"a": 1}'),
    )

    assert sent == {
        "photo": run.photo,
        "styles": ["art_1", "https://example.org/a.jpg"],
        "weights": [1.0, 0.5],
        "colour": "blue",
        "strength": 0.25,
        "steps": 3,
        "tile": False,
        "json": {"a": 1},
    }


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--strength", "1"), "--strength"),
        (("--steps", "0"), "--steps"),
        (("--colour", "green"), "green"),
        (("--styles", "nowhere.png"), "does not exist"),
        (("--param-json", "{"), "not JSON"),
    ],
)
def test_a_wrong_value_is_refused_here(run, arguments, word):
    result, _sent = run(*arguments)

    assert result.exit_code == 2
    assert word in result.output


@pytest.mark.parametrize(
    ("text", "sent"),
    [("there", "there"), ('{"here": 0.5}', {"here": 0.5}), ("nowhere", "nowhere"), ("1", 1)],
)
def test_a_word_or_json(run, text, sent):
    """What the words are is the server's to say."""
    result, values = run("--place", text)

    assert result.exit_code == 0, result.output
    assert values["place"] == sent


def test_broken_json_is_not_taken_for_a_word(run):
    result, _sent = run("--place", '{"here": ')

    assert result.exit_code == 2
    assert "not JSON" in result.output


def test_help_shows_description_default_and_bounds(run):
    result, _sent = run("--help")

    text = " ".join(result.output.split())
    assert "The photograph. [required]" in text
    assert "[default: 0.5]" in text
    assert "0<=x<1" in text
    assert "[red|blue]" in text
    assert "at most 4" in text


def test_a_network_is_named_and_the_help_says_where_to_look(run):
    assert run("--network", "flowers")[1]["network"] == "flowers"
    assert "there are planets; yours: `atelier networks list`" in " ".join(run("--help")[0].output.split())


def test_what_text_or_a_list_of_numbers_can_say_is_text():
    (option,) = options.options(
        {
            "properties": {
                "seeds": {
                    "anyOf": [
                        {"type": "array", "items": {"type": "integer"}},
                        {"type": "string", "maxLength": 9},
                        {"type": "null"},
                    ],
                    "description": "Which.",
                }
            }
        }
    )
    assert not option.multiple
    assert option.type.convert("1-4,9", option, None) == "1-4,9"
