"""A chain that cannot be made is refused whole, beside the field that is wrong; one that can is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from engines.pipeline.chain import Reference, Stage, last, needed
from engines.pipeline.spec import PipelineParams

ROOT = Path(__file__).parents[3]
PLANETS = {"name": "planets", "engine": "planets", "params": {"count": 2}}
WORDS = {"name": "words", "engine": "echo", "params": {"text": "hello"}}


def refused(*stages, files=()):
    with pytest.raises(ValidationError) as caught:
        PipelineParams.model_validate({"stages": list(stages), "files": list(files)})
    (error,) = caught.value.errors()
    return error.get("ctx", {}).get("field") or ".".join(map(str, error["loc"])), error["msg"]


def taken(*stages, files=()):
    return PipelineParams.model_validate({"stages": list(stages), "files": list(files)})


def classify(image, **more):
    return {"name": "kinds", "engine": "planet_classifier", "params": {"image": image}} | more


@pytest.mark.parametrize(
    ("stages", "field", "said"),
    [
        (
            [WORDS, {**WORDS, "params": {"text": "@nonesuch"}, "name": "b"}],
            "stages.1.params.text",
            "no stage",
        ),
        ([{**WORDS, "engine": "nonesuch"}], "stages.0.engine", "no engine 'nonesuch'"),
        ([{**WORDS, "engine": "pipeline"}], "stages.0.engine", "is no stage"),
        ([{**WORDS, "engine": "stylegan_import"}], "stages.0.engine", "is no stage"),
        ([{**WORDS, "params": {"words": "x"}}], "stages.0.params.words", "no such parameter"),
        ([{**WORDS, "params": {"seconds": -1}}], "stages.0.params.seconds", "greater than"),
        ([{**WORDS, "params": {"seconds": "1"}}], "stages.0.params.seconds", "number"),
        ([WORDS, WORDS], "stages.1.name", "another stage"),
        ([{**WORDS, "name": "each"}], "stages.0.name", "word of its own"),
        ([WORDS, classify("@words")], "stages.1.params.image", "that stage makes text/plain"),
        ([PLANETS, {**WORDS, "name": "b", "params": {"text": "@planets"}}], "stages.1.params.text", "a text"),
        ([classify("@each")], "stages.0.params.image", "needs a stage that has `each`"),
        ([classify("@each", each="@each")], "stages.0.each", "is not that one"),
        ([classify("@files/1")], "stages.0.params.image", "has 0 files"),
        (
            [
                {"name": "a", "engine": "echo", "params": {"text": "@b"}},
                {"name": "b", "engine": "echo", "params": {"text": "@a"}},
            ],
            "stages.0",
            "wait for one another: a, b",
        ),
        ([{"name": "a", "engine": "echo", "params": {"text": "@a"}}], "stages.0", "wait for one another"),
        ([{**WORDS, "name": "A b"}], "stages.0.name", "pattern"),
        ([{**WORDS, "more": 1}], "stages.0.more", "xtra"),
        ([], "stages", "at least 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_made(stages, field, said):
    at, message = refused(*stages)
    assert (at, said in message) == (field, True), (at, message)


def test_each_with_a_wrong_reference_says_so():
    field, _ = refused(classify("@each", each="@nonesuch"))
    assert field in ("stages.0.each", "stages.0.params.image")


def test_stages_may_come_in_any_order_and_need_what_they_name():
    chain = taken(classify("@each", each="@planets"), PLANETS)
    assert [needed(stage) for stage in chain.stages] == [{"planets"}, set()]
    assert [stage.name for stage in last(chain.stages)] == ["kinds"]


def test_a_text_that_begins_with_an_at_sign_is_written_with_two():
    taken({**WORDS, "params": {"text": "@@home"}})


def test_what_depends_on_how_many_files_there_will_be_is_left_to_the_run():
    sheet = {"name": "sheet", "engine": "collage", "params": {"images": "@planets", "captions": ["a", "b"]}}
    taken(PLANETS, sheet)
    four = {**sheet, "params": {"images": ["@planets"] * 4, "captions": list("abcd")}}
    taken(PLANETS, four)
    field, said = refused(PLANETS, {**sheet, "params": {"images": "@planets", "captions": ["a"] * 101}})
    assert field.startswith("stages.1.params.captions"), said


def test_no_stage_is_called_as_a_job_of_another():
    """Its jobs would be taken for its own: what a part is called says which it is."""
    each = classify("@each", each="@planets")
    assert refused(PLANETS, each, {**WORDS, "name": "kinds-001"})[0] == "stages.2.name"
    taken(PLANETS, {**WORDS, "name": "planets-001"})


def test_no_file_is_hidden_in_a_stage():
    data = "data:image/png;base64," + "A" * 70_000
    assert refused(classify(data))[0] == "stages.0.params"


def test_own_files_are_named_by_their_number():
    taken(classify("@files/2"), files=["art_1", "art_2"])
    assert refused(classify("@files/3"), files=["art_1"])[0] == "stages.0.params.image"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("@a", Reference("a")),
        ("@a/b.png", Reference("a", "b.png")),
        ("@a/b/c", Reference("a", "b/c")),
        ("@@a", None),
        ("a@b", None),
        ("", None),
        (7, None),
        (None, None),
    ],
    ids=str,
)
def test_references(value, found):
    assert Reference.of(value) == found
    if found is not None:
        assert str(found) == value


def test_a_stage_is_what_it_says():
    assert Stage(name="a", engine="echo").params == {}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs" / "chains").glob("*.json")), ids=lambda path: path.stem
)
def test_the_chains_of_the_manual_can_be_made(path):
    chain = json.loads(path.read_text())
    for number, file in enumerate(chain["files"]):
        assert (ROOT / file).is_file()
        chain["files"][number] = f"art_{number}"
    PipelineParams.model_validate(chain)
