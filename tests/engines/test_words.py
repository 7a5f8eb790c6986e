"""Every engine, field and choice has its words in every language, and there are none of what there is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, ValidationError

import engines
from engines import words
from engines.base import EngineSpec, Params
from engines.ui import FILE_TYPES, GROUPS, ui
from engines.words import COMMON, Catalogue, catalogue, choices_of, folder, shown

NAMES = engines.names()
FOREIGN = [tag for tag in words.languages() if tag != words.ENGLISH]
#: No markup, no line end, and nothing that steers a screen.
PLAIN = re.compile(r"[^\x00-\x1f\x7f-\x9f<>\u202a-\u202e\u2066-\u2069]+")


def schema(name: str) -> dict[str, dict]:
    return engines.spec(name).params.model_json_schema()


def choices(name: str) -> dict[str, set[str]]:
    """Of each field, but for those that are called the same everywhere."""
    whole = schema(name)
    return {
        field: {*choices_of(one, whole)} - FILE_TYPES.keys() for field, one in whole["properties"].items()
    }


def said_of(made: Catalogue) -> list[str]:
    """Every text of a catalogue."""
    texts = [made.title, made.description, *made.groups.values(), *made.choices.values()]
    for field in made.fields.values():
        texts += [field.title, field.description, *(field.ends or ()), *field.choices.values()]
    return [text for text in texts if text is not None]


def test_the_bot_s_languages_are_there():
    assert words.languages() == ("en", "de", "pl", "ru")


@pytest.mark.parametrize("language", FOREIGN)
@pytest.mark.parametrize("name", NAMES)
def test_everything_is_said_in_every_language(name, language):
    own, common = catalogue(folder(name), language), catalogue(COMMON, language)
    assert own.title
    assert own.description
    for field, values in choices(name).items():
        found = [made.fields[field] for made in (own, common) if field in made.fields]
        assert any(one.title for one in found), field
        assert any(one.description for one in found), field
        known = {*own.choices, *common.choices, *(value for one in found for value in one.choices)}
        assert values <= known, f"{field}: {values - known}"
        hints = schema(name)["properties"][field]["x-ui"]
        assert any(one.ends for one in found) == ("ends" in hints), field
        assert hints["group"] in {*own.groups, *common.groups}
    assert engines.spec(name).labels.keys() <= {*own.choices, *common.choices}


@pytest.mark.parametrize("language", FOREIGN)
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_of_what_there_is_not(name, language):
    own, common = catalogue(folder(name), language), catalogue(COMMON, language)
    listed = choices(name)
    assert own.fields.keys() <= listed.keys()
    for field, one in own.fields.items():
        assert one.choices.keys() <= listed[field], field
        assert one.title != common.fields.get(field, one).title or field not in common.fields, (
            f"{field}: twice"
        )
    everywhere = set().union(*listed.values()) | engines.spec(name).labels.keys()
    assert own.choices.keys() <= everywhere
    assert not own.choices.keys() & common.choices.keys(), "said twice"
    groups = {field["x-ui"]["group"] for field in schema(name)["properties"].values()}
    assert own.groups.keys() <= groups - GROUPS.keys()


@pytest.mark.parametrize("language", FOREIGN)
def test_nothing_is_common_that_no_engine_has(language):
    common = catalogue(COMMON, language)
    assert common.title is None
    assert common.description is None
    assert common.groups.keys() == GROUPS.keys()
    fields = {field for name in NAMES for field in choices(name)}
    assert common.fields.keys() <= fields
    values = {value for name in NAMES for some in choices(name).values() for value in some}
    assert common.choices.keys() <= values
    assert not any(one.choices for one in common.fields.values())


@pytest.mark.parametrize("language", FOREIGN)
@pytest.mark.parametrize("name", [*NAMES, ""])
def test_texts_are_plain_and_as_long_as_forms_have_room(name, language):
    made = catalogue(folder(name) if name else COMMON, language)
    for text in said_of(made):
        assert PLAIN.fullmatch(text), text
        assert text == text.strip()
        assert len(text) <= 300
    titles = [made.title, *made.groups.values(), *made.choices.values()]
    for field in made.fields.values():
        titles += [field.title, *field.choices.values()]
        assert field.description is None or field.description.endswith((".", "?", "!")), field.description
    assert all(len(title) <= 28 for title in titles if title)


@pytest.mark.parametrize("language", FOREIGN)
@pytest.mark.parametrize("name", NAMES)
def test_no_description_was_left_in_english(name, language):
    spec = engines.spec(name)
    english, other = shown(spec), shown(spec, language)
    assert english.description != other.description
    for field, one in english.params_schema["properties"].items():
        assert one["description"] != other.params_schema["properties"][field]["description"], field


def test_every_file_is_of_a_language_there_is():
    root = Path(engines.__file__).parent
    assert {path.stem for path in root.glob("*/words/*.toml")} == set(FOREIGN)


@pytest.mark.parametrize("name", NAMES)
def test_english_is_the_spec_s_own_and_complete(name):
    spec = engines.spec(name)
    english = shown(spec)
    assert (english.title, english.description) == (spec.title, spec.description)
    for field, one in english.params_schema["properties"].items():
        bare = schema(name)["properties"][field]
        assert (one["title"], one["description"]) == (bare["title"], bare["description"])
        assert one["x-ui"].get("choices", {}).keys() == {*choices_of(bare, schema(name))}


class TintParams(Params):
    """Of an engine that nobody wrote words for."""

    tone: Literal["warm", "very_cold"] = Field(
        default="warm", description="Which way.", json_schema_extra=ui("mood", choices={"warm": "Cosy"})
    )
    bare: Literal["png", "a"] | None = Field(default=None, description="Says nothing of itself.")
    shares: dict[Literal["warm"], float] = Field(default_factory=dict, description="A share of each.")


TINT = EngineSpec(
    name="tint",
    title="Tint",
    description="Tints.",
    params=TintParams,
    produces=("image/png",),
    example={},
    labels={"warm": "It is cosy", "lukewarm": "So so"},
)


def test_an_engine_without_words_shows_its_spec_s_and_what_all_have_in_common():
    made = shown(TINT, "de")
    fields = made.params_schema["properties"]
    assert (made.title, fields["tone"]["title"], fields["seed"]["title"]) == ("Tint", "Tone", "Seed")
    assert "Einstellungen" in fields["seed"]["description"]
    assert fields["tone"]["x-ui"] == {"group": "mood", "choices": {"warm": "Cosy", "very_cold": "Very cold"}}
    assert fields["bare"]["x-ui"] == {"choices": {"png": "PNG", "a": "A"}}
    assert fields["shares"]["x-ui"] == {"choices": {"warm": "Warm"}}
    # Its own group is behind those that all know.
    assert made.params_schema["x-ui"] == {"groups": {"result": "Ergebnis", "mood": "Mood"}}
    assert made.labels == {"warm": "It is cosy", "lukewarm": "So so"}


def test_an_engine_s_own_words_come_before_the_common_ones(tmp_path, monkeypatch):
    # given: an engine's folder in a place of its own
    (tmp_path / "tint" / "words").mkdir(parents=True)
    (tmp_path / "tint" / "words" / "de.toml").write_text(
        'title = "Tönung"\n'
        '[groups]\nmood = "Stimmung"\n'
        '[choices]\nwarm = "Warm"\n'
        '[fields.seed]\ntitle = "Keim"\n'
        '[fields.tone]\nends = ["warm", "kalt"]\nchoices.very_cold = "Eisig"\n'
    )
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(tmp_path)])
    # when
    made = shown(TINT, "de")
    # then
    fields = made.params_schema["properties"]
    assert (made.title, made.description) == ("Tönung", "Tints.")
    assert fields["seed"]["title"] == "Keim"
    assert "Einstellungen" in fields["seed"]["description"]
    assert fields["tone"]["x-ui"]["choices"] == {"warm": "Warm", "very_cold": "Eisig"}
    assert fields["tone"]["x-ui"]["ends"] == ["warm", "kalt"]
    assert made.params_schema["x-ui"]["groups"]["mood"] == "Stimmung"
    assert made.labels["warm"] == "Warm"


def test_a_misspelt_key_is_no_silence(tmp_path):
    (tmp_path / "de.toml").write_text('tilte = "x"\n')
    with pytest.raises(ValidationError, match="tilte"):
        catalogue(tmp_path, "de")
