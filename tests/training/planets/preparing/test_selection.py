"""Which of a world's pictures are kept, and under which name and frame."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.planets.preparing.bodies import planet
from training.planets.preparing import screening, selection
from training.planets.preparing.disc import Disc
from training.planets.preparing.measuring import Measured, Settings
from training.planets.preparing.selection import decide

SIZE = (300, 220)
BALL = Disc(150.4, 110.2, 80.3, 80.3, 0.0)
UNSURE = Disc(150, 110, 60, 50, 0.0, support=0.3, sure=False)
#: Nothing is compared by pixels, so no file is read.
ALONE = Settings(duplicate=0, blur=0)


def measured(name: str, disc: Disc | None = BALL, sharpness: float = 1.0, **more: object) -> Measured:
    cells = tuple(float(ord(name[0])) for _ in range(64))
    box = (70.1, 29.9, 230.7, 190.5)
    known = {"look": screening.Look(cells, sharpness), "seen": box, "size": SIZE} | more
    return Measured(Path(f"{name}.png"), disc=disc, **known)


def reasons(world: list[Measured], settings: Settings = ALONE) -> list[str | None]:
    decide(world, settings)
    return [one.reason for one in world]


def test_what_is_kept_is_numbered_in_order_with_as_many_digits_as_it_takes():
    world = [measured("a"), measured("b", reason="damaged"), measured("c")]
    assert reasons(world) == [None, "damaged", None]
    assert [one.name for one in world] == ["000", None, "001"]
    many = [measured("a") for _ in range(1001)]
    decide(many, ALONE)
    assert (many[0].name, many[-1].name) == ("0000", "1000")


@pytest.mark.parametrize(
    ("disc", "more", "reason"),
    [
        (None, {"seen": None}, "nothing stands out"),
        (None, {}, "no round body found"),
        (UNSURE, {}, r"outline unclear (30% seen)"),
        (BALL.moved(80, 0), {}, "cut off by the border"),
        (Disc(150, 110, 40, 20, 0.0), {}, "too small: 40 pixels across"),
        (BALL, {"covered": True}, "something lies across the body"),
    ],
)  # fmt: skip
def test_why_a_picture_is_left_out(disc, more, reason):
    (said,) = reasons([measured("a", disc, **more)])
    assert said is not None
    assert said.startswith(reason)


def test_a_body_of_the_least_size_is_large_enough():
    assert reasons([measured("a", Disc(150, 110, 40, 24, 0.0))]) == [None]


def test_a_caption_may_be_kept():
    assert reasons([measured("a", covered=True)], Settings(duplicate=0, blur=0, captions="keep")) == [None]


def test_an_unsure_one_takes_the_disc_of_the_others_where_it_holds_what_was_seen():
    world = [measured(name) for name in "abc"] + [
        measured("d", UNSURE, seen=(120, 100, 160, 112)),
        measured("e", None, seen=(4, 4, 44, 16)),
        measured("f", None, seen=(120, 100, 160, 112), size=(301, 220)),
    ]
    assert reasons(world) == [None, None, None, None, "no round body found", "no round body found"]
    assert world[3].agreed
    assert world[3].disc is not None
    assert (world[3].disc.x, world[3].disc.major) == (150.4, 80.3)
    assert not world[0].agreed


@pytest.mark.parametrize(
    ("box", "held"),
    [
        ((70.1, 29.9, 230.7, 190.5), True),
        ((67.0, 27.0, 233.0, 193.0), True),
        ((60.0, 100.0, 100.0, 120.0), False),
        ((140.0, 20.0, 160.0, 60.0), False),
        ((200.0, 100.0, 240.0, 120.0), False),
        ((140.0, 150.0, 160.0, 200.0), False),
    ],
    ids=["whole", "slack", "left", "top", "right", "bottom"],
)
def test_a_disc_holds_a_box_within_its_own(box, held):
    assert selection._holds(BALL, box) is held


def test_what_is_much_less_sharp_than_its_world_is_blurred():
    world = [
        measured(name, sharpness=value) for name, value in zip("abcd", (1.0, 1.2, 0.04, 0.9), strict=True)
    ]
    said = reasons(world, Settings(duplicate=0, blur=0.05))
    assert said[2] is not None
    assert said[2].startswith("blurred: 0.042 of")
    assert said[:2] + said[3:] == [None] * 3
    # of two there is no world to compare with
    assert reasons([measured("a"), measured("b", sharpness=0.01)], Settings(duplicate=0)) == [None, None]


def test_of_copies_the_largest_stays_and_of_equals_the_first(tmp_path):
    world = []
    for name, seed, factor in (("a", 1, 1.0), ("b", 2, 1.0), ("c", 1, 1.0), ("d", 2, 1.5)):
        disc = BALL.scaled(factor)
        size = (round(300 * factor), round(220 * factor))
        picture = planet(SIZE, BALL, seed=seed).resize(size)
        picture.save(tmp_path / f"{name}.png")
        look = screening.look(screening.thumbnail(picture, disc))
        world.append(Measured(tmp_path / f"{name}.png", disc=disc, size=size, look=look, seen=(0, 0, 1, 1)))
    assert reasons(world, Settings(blur=0)) == [None, "the same as d.png", "the same as a.png", None]
    assert [one.name for one in world] == ["000", None, None, "001"]


def test_one_lump_makes_a_world_of_lumps_which_share_a_scale():
    """Per size of picture, the largest of them."""
    balls = [measured("a", Disc(150, 110, 60, 60, 0.0)), measured("b", Disc(150, 110, 80, 80, 0.0))]
    decide(balls, ALONE)
    assert balls[0].frame is not None
    assert balls[1].frame is not None
    assert balls[0].frame.side < balls[1].frame.side
    lumps = [measured("a", Disc(150, 110, 60, 50, 0.0)), measured("b", Disc(150, 110, 80, 80, 0.0))]
    decide(lumps, ALONE)
    assert [one.frame.side for one in lumps if one.frame] == pytest.approx([169.6, 169.6])
