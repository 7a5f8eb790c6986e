"""A chain asks for what can begin, waits for the rest, and gives what its last stages have made."""

from __future__ import annotations

import pytest

from engines.base import BadInput, Output, Part, PartOutput
from engines.pipeline.engine import Engine
from engines.pipeline.spec import PipelineParams


class Chain:
    def __init__(self, make_context, *stages, files=()):
        self.params = PipelineParams.model_validate({"seed": 7, "stages": list(stages), "files": list(files)})
        self.context = make_context({})

    def call(self):
        return list(Engine().run(self.params, self.context))

    def parts(self):
        given = self.call()
        assert all(isinstance(one, Part) for one in given)
        return given

    def made(self, name, *texts, media_type="text/plain", file="a.txt"):
        outputs = []
        for text in texts:
            ref = f"art_{len(self.context.files)}"
            path = self.context.scratch / ref
            path.write_text(text)
            self.context.files[ref] = path
            outputs.append(PartOutput(ref, file, media_type, {"seed": 3}, text=text))
        self.context.parts[name] = tuple(outputs)


def words(name, text="hello", **more):
    return {"name": name, "engine": "echo", "params": {"text": text}} | more


@pytest.fixture
def chain(make_context):
    return lambda *stages, **more: Chain(make_context, *stages, **more)


def test_stages_that_need_nothing_of_each_other_begin_together(chain):
    made = chain(words("a"), words("b"), words("c", "@a"))
    assert [part.name for part in made.parts()] == ["a", "b"]
    made.made("a", "from a")
    made.made("b", "from b")
    (part,) = made.parts()
    assert (part.name, part.engine, dict(part.params)) == ("c", "echo", {"text": "from a"})
    made.made("c", "from c")
    outputs = made.call()
    assert [(one.name, one.data.read_text()) for one in outputs] == [
        ("b-a.txt", "from b"),
        ("c-a.txt", "from c"),
    ]


def test_a_chain_of_one_job_at_its_end_gives_its_results_under_their_names(chain):
    made = chain(words("a"))
    made.made("a", "x")
    (output,) = made.call()
    assert isinstance(output, Output)
    assert (output.name, output.meta) == ("a.txt", {"seed": 7, "stage": "a", "stage_seed": 3})


def test_each_is_a_job_for_every_file(chain):
    made = chain(words("a"), words("b", "@each", each="@a"))
    made.made("a", "one", "two", "three")
    parts = made.parts()
    assert [(part.name, part.stage, part.params["text"]) for part in parts] == [
        ("b-001", "b", "one"),
        ("b-002", "b", "two"),
        ("b-003", "b", "three"),
    ]
    assert sum(part.share for part in parts) == pytest.approx(0.475)
    for n, text in enumerate(("x", "y", "z"), 1):
        made.made(f"b-00{n}", text)
    assert [output.name for output in made.call()] == ["b-001-a.txt", "b-002-a.txt", "b-003-a.txt"]


def test_a_list_takes_all_files_and_one_field_takes_one(chain):
    mix = {"name": "styled", "engine": "neural_style", "params": {"content": "@files/1", "style": "@p"}}
    made = chain({"name": "p", "engine": "planets", "params": {}}, mix, files=["art_1"])
    made.made("p", "x", "y", media_type="image/png", file="p.png")
    (part,) = made.parts()
    assert part.params == {"content": "art_1", "style": ["art_0", "art_1"]}


def test_of_many_one_is_named(chain):
    image = {"name": "k", "engine": "planet_classifier", "params": {"image": "@p/b.png"}}
    made = chain({"name": "p", "engine": "planets", "params": {}}, image)
    made.made("p", "x", media_type="image/png", file="b.png")
    assert made.parts()[0].params == {"image": "art_0"}


@pytest.mark.parametrize(
    ("texts", "said"), [((), "made nothing that it takes"), (("x", "y"), "has made 2: name one")]
)
def test_too_few_and_too_many_files_are_told(chain, texts, said):
    made = chain(words("a"), words("b", "@a"))
    made.made("a", *texts)
    with pytest.raises(BadInput, match=said):
        made.call()


def test_an_at_sign_is_kept(chain):
    assert chain(words("a", "@@home")).parts()[0].params == {"text": "@home"}


def test_nothing_to_do_for_each_of_nothing_is_no_result(chain):
    made = chain(words("a"), words("b", "@each", each="@a"))
    made.made("a")
    assert made.call() == []
