"""What a conversion may be asked for."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engines.convert.spec import ConvertParams

ONE = {"image": "art_1"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"image": "/etc/passwd"}, "image"),
        ({"width": 0}, "width"),
        ({"height": 10**9}, "height"),
        ({"scale": 0}, "scale"),
        ({"scale": 100}, "scale"),
        ({"scale": 0.5, "width": 10}, "scale"),
        ({"crop": "wide"}, "crop"),
        ({"crop": "1000:1"}, "crop"),
        ({"focus": "face"}, "focus"),
        ({"fit": "cover", "width": 10}, "fit"),
        ({"fit": "stretch"}, "fit"),
        ({"quality": 0, "format": "jpeg"}, "quality"),
        ({"quality": 90}, "quality"),
        ({"background": "#fff0", "format": "jpeg"}, "background"),
        ({"format": "gif"}, "format"),
    ],
    ids=[str(number) for number in range(15)],
)
def test_what_cannot_be_is_refused_beside_its_field(changes, field):
    with pytest.raises(ValidationError) as caught:
        ConvertParams.model_validate(ONE | changes)
    (error,) = caught.value.errors()
    assert (error["loc"] or (error["ctx"]["field"],))[0] == field


def test_a_picture_alone_is_enough():
    params = ConvertParams.model_validate(ONE)
    assert (params.format, params.fit, params.enlarge) == ("png", "inside", False)
