"""Several pictures of one job: their names, their seeds, one progress, one checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from engines import images
from engines.base import Interrupted, Output
from engines.neural_style.several import Several
from engines.neural_style.spec import NeuralStyleParams
from tests.engines.recording import RecordingContext

MakeContext = Callable[..., RecordingContext]


@pytest.fixture
def context(make_context: MakeContext) -> MakeContext:
    def make(colour: str = "red", **options: Any) -> RecordingContext:
        pictures = {"art_photo": Image.new("RGB", (4, 4), colour), "art_style": Image.new("RGB", (4, 4))}
        return make_context(pictures, **options)

    return make


def params(**more: Any) -> NeuralStyleParams:
    return NeuralStyleParams(**{"content": "art_photo", "style": "art_style", "count": 3, "seed": 5} | more)


def finished(one: NeuralStyleParams) -> Output:
    """What is made of one picture, here at once."""
    data = images.encode(Image.new("RGB", (2, 2)), "png", {"seed": one.seed})
    return Output("result.png", "image/png", data, {"seed": one.seed})


def drawn(several: Several, count: int) -> list[Output]:
    return [
        several.keep(one, finished(one)) for (one, _), _ in zip(several.missing(), range(count), strict=False)
    ]


def test_each_is_a_picture_of_its_own_under_its_own_seed(context):
    several = Several(params(), context())
    wanted = [one for one, _ in several.missing()]
    assert [(one.seed, one.count) for one in wanted] == [(5, 1), (6, 1), (7, 1)]
    assert several.keep(wanted[1], finished(wanted[1])).name == "result-6.png"


def test_what_was_finished_is_given_again_and_the_rest_is_missing(context):
    # given
    first = Several(params(), context())
    two = drawn(first, 2)
    # when
    again = Several(params(), context(checkpoint=first.state(None)))
    # then
    assert list(again.restored()) == two
    assert [one.seed for one, _ in again.missing()] == [7]


def test_the_picture_in_the_making_goes_on_and_no_other_gets_its_checkpoint(context):
    first = Several(params(), context())
    drawn(first, 1)
    again = Several(params(), context(checkpoint=first.state(b"half of it")))
    assert [part.restore() for _, part in again.missing()] == [b"half of it", None]


@pytest.mark.parametrize("other", [{"seed": 6}, {"count": 2}, {"strength": 0.1}, {"format": "jpeg"}])
def test_what_other_params_made_is_not_taken(context, other):
    first = Several(params(), context())
    drawn(first, 2)
    again = Several(params(**other), context(checkpoint=first.state(b"half")))
    assert list(again.restored()) == []
    assert [part.restore() for _, part in again.missing()] == [None] * params(**other).count


def test_nor_what_was_made_of_another_file_of_the_same_name(context):
    first = Several(params(), context("red"))
    drawn(first, 2)
    kept = first.state(None)
    assert list(Several(params(), context("blue", checkpoint=kept)).restored()) == []
    assert len(list(Several(params(), context("red", checkpoint=kept)).restored())) == 2


def test_a_part_s_progress_is_a_part_of_the_whole_s(context):
    whole = context()
    several = Several(params(), whole)
    for one, part in several.missing():
        part.progress(0.5, "painting")
        part.progress(1.2)
        several.keep(one, finished(one))
    assert [report.fraction for report in whole.reports] == pytest.approx(
        [1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1]
    )
    assert whole.reports[2].message == "picture 2 of 3, painting"
    assert whole.reports[3].message == "picture 2 of 3"


def test_a_stop_before_a_part_has_anything_keeps_what_it_was_given(context):
    first = Several(params(), context())
    drawn(first, 1)
    stopped = context(checkpoint=first.state(b"half"), stop_at=1)
    _, part = next(Several(params(), stopped).missing())
    with pytest.raises(Interrupted):
        part.progress(0.1, "beginning")
    assert next(Several(params(), context(checkpoint=stopped.checkpoint)).missing())[1].restore() == b"half"


def test_a_part_sees_the_job_s_files(context):
    whole = context()
    _, part = next(Several(params(), whole).missing())
    assert part.scratch == whole.scratch
    assert part.input("art_photo") == whole.input("art_photo")
