"""The search for the cheapest style pixel, against its plain definition."""

# ruff: noqa: ARG005 - callbacks take what they are called with

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engines.neural_style import search as searching
from engines.neural_style.atlas import BLOCK, PRICE_COLUMN, ROW, Atlas
from engines.neural_style.pyramid import pad
from engines.neural_style.schedule import CANDIDATE_COST, SUBSET
from engines.neural_style.search import Search
from engines.seeds import generator


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def random_search(tile: tuple[int, int], queries: int = 60) -> tuple[Search, Atlas, Tensor]:
    atlas = Atlas([noise(13, 17), noise(9, 11, 1)], gamma=2.0, generator=generator(0, "basis"))
    rows = torch.randn(queries, ROW, generator=torch.Generator().manual_seed(2))
    rows[:, 26] = 1
    start = atlas.pixels[:1].expand(queries).contiguous()
    return Search(rows, atlas, (queries // 6, 6), start, tile, lambda work: None), atlas, rows


@pytest.mark.parametrize("tile", [(512, 16384), (7, 64), (1, 130)])
def test_exact_search_finds_the_cheapest_style_pixel(tile: tuple[int, int]) -> None:
    # given
    search, atlas, rows = random_search(tile)
    # when
    search.exact()
    # then: the plain definition, over real style pixels only
    pixels = atlas.pixels.long()
    expected = pixels[(rows @ atlas.keys[pixels].T).argmin(1)]
    assert search.positions.long().equal(expected)


def test_candidates_never_make_it_worse() -> None:
    search, atlas, rows = random_search((512, 16384))
    search.score_current()
    previous = search.scores.clone()
    for step in (search.neighbours, lambda: search.subset(generator(0, "s")), lambda: search.propagate(2)):
        step()
        assert bool((search.scores <= previous).all())
        previous = search.scores.clone()
    # the scores held are those of the positions held, and no position lies in the padding
    again = (rows * atlas.keys[search.positions.long()]).sum(1)
    assert torch.allclose(search.scores, again, atol=1e-4)
    assert set(search.positions.tolist()) <= set(atlas.pixels.tolist())


def test_propagation_spreads_a_good_match() -> None:
    # given: an output that is the style itself, and one pixel that knows its place
    style = noise(12, 12)
    atlas = Atlas([style], 2.0, generator(0, "basis"))
    queries = torch.zeros(144, ROW)
    queries[:, :20] = atlas.basis.describe(pad(style, 2)).flatten(1).T
    queries[:, 26] = 1
    start = atlas.pixels[:1].expand(144).contiguous()
    search = Search(queries, atlas, (12, 12), start, (64, 64), lambda work: None)
    search.positions[78] = atlas.pixels[78]
    search.score_current()
    # when
    for _ in range(12):
        search.propagate(1)
    # then
    assert search.positions.equal(atlas.pixels)


def test_neighbours_are_the_eight_around_and_no_others() -> None:
    # given: pixels that all hold one position, and like another
    atlas = Atlas([noise(9, 9)], 2.0, generator(0, "basis"))
    places = atlas.pixels.view(9, 9)
    near = [places[row, column] for row in (3, 4, 5) for column in (3, 4, 5)]
    far = [places[4, 6], places[2, 4], places[6, 6]]
    liked = torch.stack(near + far).long()
    queries = torch.zeros(len(liked), ROW)
    queries[:, :20] = atlas.keys[liked, :20] / -2
    queries[:, PRICE_COLUMN] = 1
    start = places[4, 4].expand(len(liked)).contiguous()
    search = Search(queries, atlas, (len(liked), 1), start, (64, 64), lambda work: None)
    search.score_current()
    # when
    search.neighbours()
    # then
    found = search.positions.long() == liked
    assert found.tolist() == [True] * 9 + [False] * 3


def test_a_subset_is_of_style_pixels_and_another_generator_chooses_another() -> None:
    found = []
    for seed in (0, 0, 1):
        search, atlas, _ = random_search((512, 16384))
        search.positions = torch.zeros_like(search.positions)
        search.subset(generator(seed, "s"))
        found.append(search.positions.tolist())
        assert set(found[-1]) <= set(atlas.pixels.tolist())
    assert found[0] == found[1]


def test_what_it_was_given_is_left_as_it_was() -> None:
    search, atlas, rows = random_search((512, 16384))
    start = search.positions.clone()
    again = Search(rows, atlas, search.size, start, (512, 16384), lambda work: None)
    again.exact()
    assert again.positions.ne(start).any()
    assert start.equal(search.positions)


@pytest.mark.parametrize("tile", [(512, 16384), (7, 64)])
def test_all_work_is_told_of(tile: tuple[int, int]) -> None:
    told: list[float] = []
    atlas = Atlas([noise(13, 17)], 2.0, generator(0, "basis"))
    start = atlas.pixels[:1].expand(60).contiguous()
    queries = torch.randn(60, ROW, generator=torch.Generator().manual_seed(2))
    queries[:, PRICE_COLUMN] = 1
    search = Search(queries, atlas, (10, 6), start, tile, told.append)
    for step, work in (
        (search.score_current, 60 * CANDIDATE_COST),
        (search.exact, 60 * atlas.length),
        (search.neighbours, 8 * 60 * CANDIDATE_COST),
        (lambda: search.propagate(1), 4 * 60 * CANDIDATE_COST),
        (lambda: search.subset(generator(0, "s")), 60 * SUBSET),
    ):
        told.clear()
        step()
        assert sum(told) == pytest.approx(work)


def test_the_minimum_of_a_row_is_its_first_in_whichever_block() -> None:
    products = torch.randn(50, 5 * BLOCK, generator=torch.Generator().manual_seed(3))
    products[7, 200] = products[7, 201] = -9.0
    score, place = searching._row_minimum(products)
    assert score.equal(products.min(1).values)
    assert products.gather(1, place[:, None])[:, 0].equal(score)
    assert place[7] == 200


@pytest.mark.parametrize("offset", [0, 1, -1, 4, -4, 9, -9])
def test_a_shift_pairs_what_lies_so_far_apart(offset: int) -> None:
    to, origin = searching._shifted(offset, 5)
    line = list(range(5))
    assert [(b - a) for a, b in zip(line[origin], line[to], strict=True)] == [offset] * max(
        0, 5 - abs(offset)
    )
