"""What a collage may be asked for."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engines.collage.spec import SPEC, CollageParams

ONE = {"images": ["art_1"]}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"images": []}, "images"),
        ({"images": ["art_1"] * 101}, "images"),
        ({"images": ["art_1", "/etc/passwd"]}, "images"),
        ({"width": 63}, "width"),
        ({"width": 10**9}, "width"),
        ({"gap": -1}, "gap"),
        ({"columns": 0}, "columns"),
        ({"background": "mauvish"}, "background"),
        ({"background": "transparent", "format": "jpeg"}, "background"),
        ({"background": "#fff8", "format": "jpeg"}, "background"),
        ({"captions": ["one", "two"]}, "captions"),
        ({"captions": ["x" * 201]}, "captions"),
        ({"caption": "x" * 201}, "caption"),
        ({"cell": "100:1"}, "cell"),
    ],
    ids=[str(number) for number in range(14)],
)
def test_what_cannot_be_is_refused_beside_its_field(changes, field):
    with pytest.raises(ValidationError) as caught:
        CollageParams.model_validate(ONE | changes)
    (error,) = caught.value.errors()
    assert (error["loc"] or (error["ctx"]["field"],))[0] == field


def test_a_hundred_pictures_are_taken_and_some_need_no_caption():
    params = CollageParams(images=["art_1"] * 100, captions=["first"])
    assert len(params.images) == 100


def test_spaces_follow_from_the_width_and_from_each_other():
    assert CollageParams(**ONE, width=1600).spaces() == (16, 16)
    assert CollageParams(**ONE, gap=3).spaces() == (3, 3)
    assert CollageParams(**ONE, gap=3, margin=0).spaces() == (3, 0)
    assert CollageParams(**ONE, width=1000, margin=7).spaces() == (10, 7)


def test_it_is_work_for_any_processor():
    assert SPEC.queue == "cpu"
    assert SPEC.file_params["images"].multiple
