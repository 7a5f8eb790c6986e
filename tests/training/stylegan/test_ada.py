"""The controller of ADA: when p moves, how far, and what survives."""

from __future__ import annotations

import math

import pytest

from training.stylegan.ada import INTERVAL, Controller


def test_p_grows_while_the_discriminator_is_sure_and_falls_to_zero_at_most():
    control = Controller(kimg=1.0)
    for _ in range(10 * INTERVAL):
        control.observe(0.9, 20)
    assert control.p == pytest.approx(10 * INTERVAL * 20 / 1000)
    for _ in range(100 * INTERVAL):
        control.observe(0.1, 20)
    assert control.p == 0.0


def test_it_is_not_bounded_above():
    control = Controller(p=1.0, kimg=1.0)
    for _ in range(INTERVAL):
        control.observe(1.0, 20)
    assert control.p > 1.0


def test_five_hundred_thousand_pictures_take_p_from_0_to_1():
    control = Controller()
    for _ in range(500_000 // 64):
        control.observe(1.0, 64)
    assert control.p == pytest.approx(1.0, abs=1e-3)


def test_its_state_survives_between_two_moves():
    whole, parted, other = Controller(), Controller(), Controller()
    for sign in (1.0, 0.5):
        whole.observe(sign, 8)
        parted.observe(sign, 8)
    other.restore(parted.state())
    for sign in (0.9, 0.8):
        whole.observe(sign, 8)
        other.observe(sign, 8)
    assert other.p == whole.p > 0


def test_without_a_target_p_stays():
    control = Controller(p=0.3, target=None)
    for _ in range(10 * INTERVAL):
        control.observe(1.0, 64)
    assert control.p == 0.3


def test_what_is_no_number_says_nothing():
    control = Controller()
    for _ in range(INTERVAL):
        control.observe(math.nan, 64)
    assert control.p == 0.0
    assert control.state()["signs"] == []


def test_it_moves_once_in_so_many_batches_by_their_mean():
    control = Controller(p=0.5, kimg=1.0)
    for sign in [0.9] * (INTERVAL - 1):
        control.observe(sign, 20)
        assert control.p == 0.5
    control.observe(-1.0, 20)  # the mean is below the target now
    assert control.p == pytest.approx(0.5 - INTERVAL * 20 / 1000)


def test_at_its_target_it_rests():
    control = Controller(p=0.5, target=0.5, kimg=1.0)
    for _ in range(INTERVAL):
        control.observe(0.5, 20)
    assert control.p == 0.5


def test_a_restored_state_is_its_own():
    one, other = Controller(), Controller()
    one.observe(1.0, 8)
    state = one.state()
    other.restore(state)
    other.observe(1.0, 8)
    assert state["signs"] == [1.0]
