"""The distances agree with closed forms, with brute force and with a matrix root."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy import linalg

from training import metrics


@pytest.fixture
def chance():
    return np.random.default_rng(7)


def exactly(mean, covariance, count, chance):
    """Vectors whose sample mean and unbiased covariance are exactly these."""
    raw = chance.standard_normal((count, len(mean)))
    raw -= raw.mean(0)
    raw = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T  # now of covariance 1
    return raw @ np.linalg.cholesky(covariance).T + mean


def by_matrix_root(a, b):
    """Heusel et al. 2017, as it is written."""
    s1, s2 = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(s1 @ s2)
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s1 + s2 - 2 * np.real(root)))


# --- FID ----------------------------------------------------------------------------------------


def test_fid_between_known_gaussians(chance):
    # Diagonal covariances commute: |m1 - m2|^2 + sum (s1 - s2)^2 over the standard deviations.
    a = exactly([0.0, 1.0, 2.0], np.diag([1.0, 4.0, 9.0]), 50, chance)
    b = exactly([1.0, 1.0, 0.0], np.diag([4.0, 1.0, 9.0]), 70, chance)

    assert metrics.fid(a, b) == pytest.approx((1 + 0 + 4) + (1 + 1 + 0), abs=1e-9)


def test_fid_is_what_a_matrix_root_gives(chance):
    a = chance.standard_normal((200, 12)) @ chance.standard_normal((12, 12))
    b = chance.standard_normal((150, 12)) @ chance.standard_normal((12, 12)) + 0.5

    assert metrics.fid(a, b) == pytest.approx(by_matrix_root(a, b), rel=1e-8)


def test_fid_with_fewer_vectors_than_dimensions(chance):
    """Both covariances are singular; the distance is that in the space the vectors span."""
    small_a, small_b = chance.standard_normal((9, 6)), chance.standard_normal((8, 6)) * 2 + 1
    turn = np.linalg.qr(chance.standard_normal((300, 300)))[0][:6]  # 6 orthonormal directions of 300

    assert metrics.fid(small_a @ turn, small_b @ turn) == pytest.approx(by_matrix_root(small_a, small_b))


def test_fid_of_a_set_with_itself_is_nothing_whatever_its_rank(chance):
    for shape in ((200, 10), (10, 200)):
        vectors = chance.standard_normal(shape) * 100

        assert metrics.fid(vectors, vectors) == pytest.approx(0, abs=1e-7)


def test_fid_does_not_depend_on_the_order_of_the_sets(chance):
    a, b = chance.standard_normal((20, 30)), chance.standard_normal((40, 30)) + 1

    assert metrics.fid(a, b) == pytest.approx(metrics.fid(b, a))


# --- KID -----------------------------------------------------------------------------------------


def test_kid_is_the_sum_over_all_pairs(chance):
    x, y = chance.standard_normal((6, 4)), chance.standard_normal((5, 4)) + 1

    def k(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / 4 + 1) ** 3

    expected = (
        np.mean([k(a, b) for a, b in itertools.permutations(x, 2)])
        + np.mean([k(a, b) for a, b in itertools.permutations(y, 2)])
        - 2 * np.mean([k(a, b) for a in x for b in y])
    )
    found = metrics.kid(x, y, subsets=3, size=100)

    assert found.mean == pytest.approx(expected)
    assert found.deviation == pytest.approx(0, abs=1e-12)  # each subset is all there is


def test_kid_is_unbiased(chance):
    """Of two samples of the same distribution the mean is 0 within its error; the biased estimate is not."""
    estimates = []
    for _ in range(200):
        x, y = chance.standard_normal((2, 20, 8))
        estimates.append(metrics.kid(x, y, subsets=1, size=20).mean)

    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates)) < 4 * error
    assert min(estimates) < 0


def test_kid_subsets_are_the_same_for_a_seed(chance):
    x, y = chance.standard_normal((50, 4)), chance.standard_normal((60, 4)) + 0.3

    assert metrics.kid(x, y, size=20, seed=3) == metrics.kid(x, y, size=20, seed=3)
    assert metrics.kid(x, y, size=20, seed=3) != metrics.kid(x, y, size=20, seed=4)
    assert metrics.kid(x, y, size=20).deviation > 0


# --- neighbours -------------------------------------------------------------------------------------


def test_nearest_is_what_sorting_all_distances_gives(chance, monkeypatch):
    monkeypatch.setattr(metrics, "_BLOCK", 70)  # several blocks
    queries, among = chance.standard_normal((23, 5)), chance.standard_normal((31, 5))
    every = np.linalg.norm(queries[:, None] - among, axis=2)

    distances, indices = metrics.nearest(queries, among, 4)

    np.testing.assert_array_equal(indices, np.argsort(every, axis=1)[:, :4])
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :4])


def test_nearest_of_itself_leaves_itself_out_even_among_copies(chance, monkeypatch):
    monkeypatch.setattr(metrics, "_BLOCK", 40)
    among = chance.standard_normal((12, 3))
    among[7] = among[2]

    distances, indices = metrics.nearest(among, among, 1, itself=True)

    assert indices[7] == [2]
    assert indices[2] == [7]
    assert distances[7] == 0
    assert (indices[:, 0] != np.arange(12)).all()


def test_a_copy_far_from_the_origin_is_at_no_distance(chance):
    among = chance.standard_normal((30, 16)) + 1e6

    distances, _ = metrics.nearest(among[:5].copy(), among, 1)

    assert (distances == 0).all()


def test_nearest_refuses_more_neighbours_than_there_are(chance):
    vectors = chance.standard_normal((3, 2))
    metrics.nearest(vectors, vectors, 3)

    with pytest.raises(ValueError, match="3 neighbours are wanted of 2"):
        metrics.nearest(vectors, vectors, 3, itself=True)


# --- precision and recall ---------------------------------------------------------------------------


def test_precision_and_recall_are_what_every_pair_gives(chance):
    real, made = chance.standard_normal((40, 3)), chance.standard_normal((30, 3)) * 0.6 + 0.8

    def covered(queries, among):
        every = np.linalg.norm(among[:, None] - among, axis=2)
        radii = np.sort(every, axis=1)[:, 3]  # column 0 is the vector itself
        return np.mean(
            [any(np.linalg.norm(q - a) <= r for a, r in zip(among, radii, strict=True)) for q in queries]
        )

    precision, recall = metrics.precision_recall(real, made)

    assert 0.1 < recall < precision < 1  # neither is at an end of its range
    assert precision == pytest.approx(covered(made, real))
    assert recall == pytest.approx(covered(real, made))


def test_one_of_two_modes_is_all_precision_and_half_the_recall(chance):
    left, right = chance.standard_normal((2, 60, 4)) * 0.1 + np.array([[[-5.0]], [[5.0]]])

    precision, recall = metrics.precision_recall(np.concatenate([left, right]), left + 1e-9)

    assert precision == 1.0
    assert recall == 0.5


def test_what_is_elsewhere_has_neither(chance):
    real = chance.standard_normal((20, 4))

    assert metrics.precision_recall(real, real + 100) == (0.0, 0.0)


# --- all of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", [metrics.fid, metrics.kid, metrics.precision_recall])
@pytest.mark.parametrize(
    ("made", "message"),
    [
        (np.zeros((1, 4)), "vectors are needed"),
        (np.zeros((9, 5)), "cannot be compared"),
        (np.full((9, 4), np.nan), "not finite"),
    ],
)
def test_what_cannot_be_measured_is_refused(distance, made, message, chance):
    with pytest.raises(ValueError, match=message):
        distance(chance.standard_normal((9, 4)), made)


def test_tensors_of_any_precision_do_as_well(chance):
    real, made = chance.standard_normal((2, 30, 4)).astype(np.float32)

    assert metrics.fid(torch.from_numpy(real), torch.from_numpy(made)) == metrics.fid(real, made)


def test_features_see_colours_in_0_to_1_without_the_mask():
    pixels = torch.tensor([[0, 51, 255, 128]], dtype=torch.uint8).view(1, 4, 1, 1).expand(5, 4, 2, 2)
    seen = []

    def means(pictures):
        seen.append(len(pictures))
        return pictures.mean((2, 3))

    found = metrics.extract(means, pixels, batch=2)

    assert seen == [2, 2, 1]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.tile([0.0, 0.2, 1.0], (5, 1)), rtol=1e-6)
