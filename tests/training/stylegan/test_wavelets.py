"""The filters of the augmentations: against the golden ones, and what makes them wavelets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.stylegan.augment_draws import BANDS
from training.stylegan.wavelets import SYM2, SYM6, octaves

GOLDEN = Path(__file__).parents[3].parent / "shared" / "golden" / "stylegan2" / "augment" / "io.npz"


def test_the_filters_are_the_official_ones():
    if not GOLDEN.is_file():
        pytest.skip("the golden data are not at hand (../shared/golden)")
    with np.load(GOLDEN, allow_pickle=False) as golden:
        np.testing.assert_allclose(SYM6, golden["Hz_geom"], rtol=0, atol=1e-7)
        np.testing.assert_allclose(octaves(SYM2, BANDS), golden["Hz_fbank"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("taps", [SYM2, SYM6])
def test_wavelets_are_orthonormal(taps):
    for lag in range(0, len(taps), 2):
        product = 2.0 * float(taps[lag:] @ taps[: len(taps) - lag])
        assert product == pytest.approx(1.0 if lag == 0 else 0.0, abs=1e-11)


def test_octaves_add_up_to_the_signal_and_split_it():
    bands = octaves(SYM2, BANDS)
    whole = bands.sum(0)
    assert whole[len(whole) // 2] == pytest.approx(1.0)
    assert np.abs(np.delete(whole, len(whole) // 2)).max() < 1e-12
    response = np.abs(np.fft.rfft(bands, 1024, axis=1))  # (4, 513): from 0 to half the sampling rate
    assert response[0, 0] == pytest.approx(1.0)
    assert [int(band.argmax()) for band in response[1:]] == sorted(int(b.argmax()) for b in response[1:])
    assert response[3, -1] == pytest.approx(1.0)


@pytest.mark.parametrize(("taps", "moments"), [(SYM2, 2), (SYM6, 6)], ids=["sym2", "sym6"])
def test_the_high_pass_does_not_see_polynomials(taps, moments):
    places = np.arange(len(taps), dtype=np.float64)
    high = taps * (-1.0) ** places
    assert taps.sum() == pytest.approx(1.0)
    for power in range(moments):
        assert high @ (places / len(taps)) ** power == pytest.approx(0.0, abs=1e-9)
    assert abs(high @ (places / len(taps)) ** moments) > 1e-6


@pytest.mark.parametrize("count", [1, 2, 5])
def test_octaves_are_without_phase_and_as_many_as_asked(count):
    bands = octaves(SYM2, count)
    assert len(bands) == count
    assert np.allclose(bands, bands[:, ::-1])
    assert bands.sum(0)[bands.shape[1] // 2] == pytest.approx(1.0)
