"""The order in which pictures are shown."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from PIL import Image

from tests.training.stylegan.datasets import FILES, picture, png
from training.stylegan.archive import BadDataset
from training.stylegan.batches import Batches
from training.stylegan.dataset import Pictures


def test_every_picture_comes_once_a_round_and_rounds_differ(made):
    pictures = Pictures(made(FILES), mirror=True)  # 12
    with Batches(pictures, 4, seed=1) as batches:
        shown = [index for step in range(9) for index in batches.indices(step)]
    rounds = [shown[start : start + 12] for start in range(0, 36, 12)]
    assert all(sorted(one) == list(range(12)) for one in rounds)
    assert rounds[0] != rounds[1] != rounds[2]


def test_a_batch_may_be_larger_than_the_dataset(made):
    with Batches(Pictures(made(FILES)), 20, seed=1) as batches:
        assert set(Counter(batches.indices(3)).values()) <= {3, 4}
        assert batches.at(0)[0].shape == (20, 3, 16, 16)


def test_any_step_is_known_without_those_before(made):
    pictures = Pictures(made(FILES), labels=True)
    with Batches(pictures, 4, seed=1) as steady, Batches(pictures, 4, seed=1) as jumping:
        for step in range(8):
            pixels, labels = steady.at(step)
            if step in (2, 3, 7):
                again, of_them = jumping.at(step)
                assert torch.equal(pixels, again)
                assert torch.equal(labels, of_them)


def test_another_seed_is_another_order(made):
    pictures = Pictures(made(FILES), mirror=True)
    with Batches(pictures, 12, seed=1) as one, Batches(pictures, 12, seed=2) as other:
        assert one.indices(0) != other.indices(0)


def test_labels_belong_to_their_pictures(made):
    pictures = Pictures(made({**FILES, "b/0.png": png(picture(100))}), labels=True)
    with Batches(pictures, 6, seed=3) as batches:
        pixels, labels = batches.at(0)
    bright = pixels[:, 0, 0, 0] == 100
    assert labels[bright].tolist() == [[0.0, 1.0]]


def test_processes_share_what_one_would_take(made):
    pictures = Pictures(made(FILES), mirror=True)
    with Batches(pictures, 6, seed=1) as alone:
        whole = alone.at(5)[0]
    for rank in range(3):
        with Batches(pictures, 6, seed=1, rank=rank, processes=3) as part:
            assert torch.equal(part.at(5)[0], whole[rank::3])


def test_a_damaged_picture_is_told(made):
    whole = png(Image.effect_noise((16, 16), 80).convert("RGB"))
    with (
        Batches(Pictures(made({"0.png": whole[:-200]})), 2, seed=1) as batches,
        pytest.raises(BadDataset),
    ):
        batches.at(0)
