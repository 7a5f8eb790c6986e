"""Profiles from a few numbers, held against littleCMS, which knows sRGB by itself."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from engines import icc


def converted(picture: Image.Image, profile: bytes) -> np.ndarray:
    """What littleCMS makes of the picture's numbers, if they are of `profile`."""
    source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB"), dtype=int)


def ramp(mode: str) -> Image.Image:
    return Image.linear_gradient("L").convert(mode)


def colours() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))


def test_srgb_by_its_numbers_is_srgb():
    assert np.abs(converted(colours(), icc.rgb_profile()) - np.asarray(colours(), int)).max() <= 1


def test_a_curve_alone_changes_greys_as_its_exponent_says():
    shown = converted(ramp("RGB"), icc.rgb_profile(curve=(1.0,)))[:, 0, 1]
    linear = np.linspace(0, 1, 256)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(shown - 255 * srgb).max() <= 1.5


def test_greys_have_a_profile_of_their_own():
    shown = converted(ramp("L"), icc.grey_profile(icc.SRGB_CURVE))
    assert np.abs(shown[:, :, 0] - np.asarray(ramp("L"), int)).max() <= 1
    assert np.ptp(shown, axis=2).max() <= 1


def test_white_of_any_light_is_white():
    for white in (icc.D65, (0.3457, 0.3585), (0.314, 0.351)):
        adapted = icc._to_d50(icc.SRGB_PRIMARIES, white)
        assert adapted.sum(1) == pytest.approx(icc._D50_XYZ, abs=1e-9)


def test_wider_lights_make_the_same_numbers_more_colourful():
    wide = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
    red = Image.new("RGB", (1, 1), (200, 80, 80))
    shown = converted(red, icc.rgb_profile(wide))[0, 0]
    assert shown[0] > 205
    assert shown[1] < 75


@pytest.mark.parametrize(
    ("primaries", "white"),
    [
        (((0.3, 0.3), (0.3, 0.3), (0.3, 0.3)), icc.D65),
        (((0.1, 0.1), (0.2, 0.2), (0.3, 0.3)), icc.D65),  # on one line
        (((0.64, 0.0), (0.3, 0.6), (0.15, 0.06)), icc.D65),
        (icc.SRGB_PRIMARIES, (0.3, 0.0)),
    ],
    ids=["one", "line", "dark", "no-white"],
)
def test_lights_that_span_nothing_are_refused(primaries, white):
    with pytest.raises(ValueError, match="light"):
        icc.rgb_profile(primaries, white)


@pytest.mark.parametrize("profile", [icc.rgb_profile(), icc.grey_profile((2.2,))], ids=["rgb", "grey"])
def test_a_profile_s_table_points_at_what_is_there(profile):
    size, count = struct.unpack_from(">I", profile)[0], struct.unpack_from(">I", profile, 128)[0]
    assert size == len(profile)
    for number in range(count):
        start, length = struct.unpack_from(">II", profile, 132 + 12 * number + 4)
        assert profile[start : start + 4] in (b"XYZ ", b"para")
        assert start % 4 == 0
        assert start + length <= size
