"""What `stylegan` takes: seeds, points and walks, and what a job costs."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from engines.stylegan.spec import (
    MAX_COUNT,
    MAX_FRAMES,
    SPEC,
    StyleganParams,
    decode_w,
    encode_w,
)

POINTS = [encode_w([float(n), 0.5]) for n in range(3)]


def params(**wanted: object) -> StyleganParams:
    found = SPEC.params(**wanted)
    assert isinstance(found, StyleganParams)
    return found


# --- seeds and points -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "seeds"),
    [
        ({"seeds": "7"}, [7]),
        ({"seeds": "1,5,10-12"}, [1, 5, 10, 11, 12]),
        ({"seeds": "3-3,3"}, [3, 3]),
        ({"seeds": [9, 2]}, [9, 2]),
        ({"seed": 5, "count": 3}, [5, 6, 7]),
        ({"count": 2}, [0, 1]),
        ({"seed": 2**63 - 1, "count": 2}, [2**63 - 1, 0]),
        ({"seeds": "4", "walk": "mp4"}, [4, 5]),
        ({"seeds": [2**63 - 1], "walk": "mp4"}, [2**63 - 1, 0]),
    ],
)
def test_which_pictures(wanted, seeds):
    assert params(**wanted).chosen_seeds() == seeds
    assert params(**wanted).stops() == len(seeds)


@pytest.mark.parametrize(
    "text", ["", "1,", "a", "1 2", "-3", "5-3", "1-65", "1-60,70-75", f"{2**63}", f"0-{2**63}", "1--2"]
)
def test_text_that_names_no_seeds_is_refused(text):
    with pytest.raises(ValidationError, match="seeds"):
        params(seeds=text)


def test_as_many_as_there_may_be():
    assert len(params(seeds=f"1-{MAX_COUNT}").chosen_seeds()) == MAX_COUNT
    with pytest.raises(ValidationError):
        params(seeds=list(range(MAX_COUNT + 1)))


def test_points_are_read_and_take_the_place_of_seeds():
    assert params(points=POINTS[:2]).chosen_points() == [[0.0, 0.5], [1.0, 0.5]]
    assert params(points=POINTS).stops() == 3
    assert params(seeds="1").chosen_points() == []
    with pytest.raises(ValidationError, match="seeds and points exclude"):
        params(points=POINTS, seeds="1")
    with pytest.raises(ValidationError, match="two points at least"):
        params(points=POINTS[:1], walk="mp4")


def test_a_w_goes_through_text():
    values = [0.0, -1.5, 3.25, 9999.0]
    assert decode_w(encode_w(values)) == values
    assert len(encode_w([0.0] * 3)) == 16  # twelve bytes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 bytes"),
        ("AAAA", "3 bytes"),
        ("****", "not base64"),
        (encode_w([0.0] * 2049), "8196 bytes"),
        (encode_w([math.nan]), "not finite"),
        (encode_w([math.inf]), "not finite"),
        (encode_w([1e4]), "absurdly large"),
    ],
    ids=["empty", "uneven", "text", "long", "nan", "inf", "large"],
)
def test_what_is_no_w_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        decode_w(text)


# --- walks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "frames"),
    [
        ({"seeds": "1-3", "loop": True}, 30),
        ({"seeds": "1-3", "loop": False}, 21),
        ({"seeds": "1", "loop": True}, 20),
        ({"seeds": [1, 2, 1], "loop": True}, 20),  # closed by hand
        ({"seeds": [1, 2, 1], "loop": False}, 21),
        ({"points": [*POINTS, POINTS[0]], "loop": True}, 30),
    ],
)
def test_how_many_frames_a_walk_has(wanted, frames):
    assert params(walk="mp4", frames=10, **wanted).film_frames() == frames


def test_two_equal_ones_that_are_all_there_is_stay_two():
    assert params(seeds=[4, 4], walk="mp4").chosen_seeds() == [4, 4]
    assert params(seeds=[4, 1, 4]).chosen_seeds() == [4, 1, 4]  # pictures are no walk


def test_a_walk_without_end_is_refused_where_it_would_begin():
    assert params(walk="mp4", count=10, frames=7200).film_frames() == MAX_FRAMES
    with pytest.raises(ValidationError, match="79200 frames; at most 72000"):
        params(walk="mp4", count=11, frames=7200)
    assert params(count=11, frames=7200).stops() == 11


@pytest.mark.parametrize("rate", [1, 120, "30000/1001", "24/1"])
def test_a_rate_is_a_number_or_a_fraction(rate):
    assert params(fps=rate).fps == rate


@pytest.mark.parametrize("rate", [0, 121, 24.5, "24", "1/2", "1/0", "121/1", "a/b", "1" * 9 + "/1"])
def test_no_other_rate_is_taken(rate):
    with pytest.raises(ValidationError):
        params(fps=rate)


def test_a_sheet_of_a_film_makes_no_sense():
    with pytest.raises(ValidationError, match="grid and walk exclude"):
        params(grid=True, walk="webp")


# --- to the queue -----------------------------------------------------------------------------------


def test_it_costs_by_pictures_or_frames_and_by_the_pixels_of_an_uploaded_network():
    def cost(*networks: dict[str, int], **wanted: object) -> float:
        return SPEC.placement(params(**wanted), networks).cost

    assert cost(count=8) == pytest.approx(8 * cost(count=1))
    assert cost(walk="mp4", count=4, frames=10) == pytest.approx(40 * cost(count=1))
    assert cost({"resolution": 256}) == pytest.approx(16 * cost())
    assert cost({}) == cost()


def test_a_worker_holds_a_network_by_what_is_in_its_file():
    one, same = (SPEC.placement(params(network=f"net_{digit * 32}@{'ab' * 32}")).model for digit in "12")
    assert one == same
    assert SPEC.placement(params()).model == "stylegan:planets-preview"
