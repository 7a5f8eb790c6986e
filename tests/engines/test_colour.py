"""Every mode of a picture comes out in the colours that its file means, and once."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, PngImagePlugin

from engines import icc, images

ADOBE = icc.rgb_profile(((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)), curve=(563 / 256,))
P3_LIGHTS = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
P3 = icc.rgb_profile(P3_LIGHTS)
LINEAR_GREY = icc.grey_profile((1.0,))

Array = npt.NDArray[np.float64]


def light_of(shown: Array) -> Array:
    """sRGB's curve: levels -> amounts of light."""
    part = shown / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def shown_as(light: Array) -> Array:
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


# From P3's lights to sRGB's, both under D65: the numbers of CSS Color 4.
P3_TO_SRGB = np.array([
    [1.2249401763, -0.2249401763, 0.0],
    [-0.0420569547, 1.0420569547, 0.0],
    [-0.0196375546, -0.0786360456, 1.0982736001],
])  # fmt: skip


def scene() -> Image.Image:
    """Muted colours of every hue, within all the spaces."""
    down, across = np.mgrid[0:12, 0:16]
    values = np.stack([60 + 8 * across, 200 - 9 * down, 70 + 5 * across + 4 * down], axis=2)
    return Image.fromarray(values.astype(np.uint8))


def expected_p3() -> Array:
    return shown_as(light_of(np.asarray(scene(), dtype=float)) @ P3_TO_SRGB.T)


def png(image: Image.Image, *chunks: bytes, **options: object) -> bytes:
    """A PNG, with these chunks before its picture."""
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    data = out.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def loaded(data: bytes) -> Array:
    return np.asarray(images.load_rgb(io.BytesIO(data)), dtype=float)


def far(found: Array, wanted: Array | float) -> float:
    return float(np.abs(found - wanted).max())


class TestProfiles:
    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "P with transparency"])
    def test_colours_in_every_mode(self, mode: str) -> None:
        image = scene()
        options: dict[str, object] = {"icc_profile": P3}
        if mode == "RGBA":
            image.putalpha(255)
        elif mode != "RGB":
            image = image.quantize(256, dither=Image.Dither.NONE)
            assert far(np.asarray(image.convert("RGB"), dtype=float), np.asarray(scene(), dtype=float)) == 0
            if mode != "P":
                options["transparency"] = 255  # a place that no pixel has
        assert far(loaded(png(image, **options)), expected_p3()) <= 1
        # and they were not sRGB in the first place
        assert far(np.asarray(scene(), dtype=float), expected_p3()) > 10

    @pytest.mark.parametrize("kind", ["TIFF", "WEBP", "JPEG", "AVIF", "HEIF"])
    def test_colours_in_every_kind_of_file(self, kind: str) -> None:
        plain, wide = io.BytesIO(), io.BytesIO()
        scene().resize((64, 48)).save(plain, kind)
        scene().resize((64, 48)).save(wide, kind, icc_profile=P3)
        wanted = shown_as(light_of(loaded(plain.getvalue())) @ P3_TO_SRGB.T)
        assert far(loaded(wide.getvalue()), wanted) <= 1

    def test_another_curve(self) -> None:
        grey = Image.new("RGB", (2, 2), (100, 100, 100))
        wanted = shown_as(np.array((100 / 255) ** (563 / 256)))
        assert far(loaded(png(grey, icc_profile=ADOBE)), float(wanted)) <= 1

    def test_alpha_is_carried_along_and_composed_after_the_conversion(self) -> None:
        image = scene()
        image.putalpha(128)
        wanted = 255 + (expected_p3() - 255) * 128 / 255
        assert far(loaded(png(image, icc_profile=P3)), wanted) <= 1.5
        assert images.load(io.BytesIO(png(image, icc_profile=P3))).getchannel("A").getextrema() == (128, 128)

    @pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
    def test_greys(self, mode: str) -> None:
        ramp = np.arange(256, dtype=np.uint8)[None]
        image = Image.fromarray(ramp)
        if mode == "I;16":
            image = Image.fromarray(ramp.astype(np.uint16) * 257)
        elif mode == "LA":
            image = image.convert("LA")
        found = loaded(png(image, icc_profile=LINEAR_GREY))
        wanted = shown_as(ramp[0] / 255)
        assert far(found[0, :, 1], wanted) <= (1 if mode == "I;16" else 3)
        assert far(found[..., 0], found[..., 2]) == 0  # they stay greys

    def test_deep_greys_are_not_cut_to_eight_bits_before(self) -> None:
        values = np.array([[0, 20, 100, 300, 1000]], dtype=np.uint16)  # all but the last are 0 or 1 of 255
        found = loaded(png(Image.fromarray(values), icc_profile=LINEAR_GREY))
        assert far(found[0, :, 0], shown_as(values[0] / 65535)) <= 1

    def test_black_and_white_stay(self) -> None:
        image = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
        assert loaded(png(image, icc_profile=LINEAR_GREY))[0, :, 0].tolist() == [0, 255]

    def test_a_colour_named_as_transparent_is_found_before_the_conversion(self) -> None:
        image = scene()
        hidden = image.getpixel((3, 3))
        found = loaded(png(image, icc_profile=P3, transparency=hidden))
        assert found[3, 3].tolist() == [255, 255, 255]
        assert far(found[5], expected_p3()[5]) <= 1

    def test_a_deep_grey_named_as_transparent_is_white(self) -> None:
        values = np.array([[0, 1000, 1001]], dtype=np.uint16)
        hidden = chunk(b"tRNS", struct.pack(">H", 1000))
        assert loaded(png(Image.fromarray(values), hidden))[0, :, 0].tolist() == [0, 255, 4]

    @pytest.mark.parametrize(
        "profile",
        [b"", b"nonsense", P3[:100], P3[:300], b"\0" * 200, P3.replace(b"RGB ", b"CMYK"), LINEAR_GREY],
    )
    def test_one_that_is_broken_or_another_s_counts_as_none(self, profile: bytes) -> None:
        assert far(loaded(png(scene(), icc_profile=profile)), np.asarray(scene(), dtype=float)) == 0

    def test_cmyk_without_a_profile(self, tmp_path: Path) -> None:
        Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "a.tif", icc_profile=P3)
        assert images.load_rgb(tmp_path / "a.tif").getpixel((1, 1)) == (255, 0, 0)

    def test_the_picture_that_is_read_is_not_touched(self) -> None:
        """Its own profile is not there any more, so that nobody converts it twice."""
        assert "icc_profile" not in images.load(io.BytesIO(png(scene(), icc_profile=P3))).info


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def lights(*places: tuple[float, float]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(v * 100_000) for place in places for v in place)))


P3_CHROMATICITIES = lights(icc.D65, *P3_LIGHTS)
SRGB_CHROMATICITIES = lights(icc.D65, *icc.SRGB_PRIMARIES)


class TestWithoutAProfile:
    def test_gamma(self) -> None:
        wanted = shown_as(np.asarray(scene(), dtype=float) / 255)
        assert far(loaded(png(scene(), gamma(1.0))), wanted) <= 1
        assert far(loaded(png(scene().convert("L"), gamma(1.0))), loaded(png(scene().convert("L")))) > 30

    @pytest.mark.parametrize(
        "chunks", [(gamma(0.45455),), (SRGB_CHROMATICITIES, gamma(0.45455)), (SRGB_CHROMATICITIES,)]
    )
    def test_what_is_usual_means_srgb(self, chunks: tuple[bytes, ...]) -> None:
        assert far(loaded(png(scene(), *chunks)), np.asarray(scene(), dtype=float)) == 0

    def test_other_lights(self) -> None:
        assert far(loaded(png(scene(), P3_CHROMATICITIES)), expected_p3()) <= 1

    def test_other_lights_with_a_gamma(self) -> None:
        wanted = shown_as((np.asarray(scene(), dtype=float) / 255) ** 2.2 @ P3_TO_SRGB.T)
        assert far(loaded(png(scene(), P3_CHROMATICITIES, gamma(1 / 2.2))), wanted) <= 1

    def test_code_points(self) -> None:
        in_p3 = chunk(b"cICP", bytes([12, 13, 0, 1]))
        assert far(loaded(png(scene(), in_p3)), expected_p3()) <= 1
        # which go before everything else
        assert far(loaded(png(scene(), in_p3, gamma(1.0), icc_profile=ADOBE)), expected_p3()) <= 1

    def test_code_points_of_an_avif(self) -> None:
        out = io.BytesIO()
        scene().resize((64, 48)).save(out, "AVIF", quality=100, subsampling="4:4:4")
        plain = out.getvalue()
        at = plain.index(b"nclx") + 4
        found = loaded(plain[:at] + struct.pack(">HH", 12, 13) + plain[at + 4 :])
        wanted = shown_as(light_of(loaded(plain)) @ P3_TO_SRGB.T)
        assert far(found, wanted) <= 1

    @pytest.mark.parametrize("order", [chunk(b"sRGB", b"\0")])
    def test_srgb_and_a_profile_go_before_gamma(self, order: bytes) -> None:
        assert far(loaded(png(scene(), order, gamma(1.0))), np.asarray(scene(), dtype=float)) == 0
        assert far(loaded(png(scene(), gamma(1.0), icc_profile=P3)), expected_p3()) <= 1

    @pytest.mark.parametrize(
        "chunks",
        [
            (gamma(0),), (gamma(0.00001),), (gamma(40_000),),
            (lights((0, 0), (0, 0), (0, 0), (0, 0)),),
            (lights(icc.D65, (0.3, 0.3), (0.3, 0.3), (0.3, 0.3)),),
            (lights(icc.D65, (0.1, 0.1), (0.2, 0.2), (0.3, 0.3)),),
            (lights((40_000, 40_000), *P3_LIGHTS),),
            (chunk(b"cICP", bytes([77, 13, 0, 1])),), (chunk(b"cICP", bytes([9, 16, 0, 1])),),
        ],
    )  # fmt: skip
    def test_nonsense_and_what_is_not_for_our_screens_count_as_absent(
        self, chunks: tuple[bytes, ...]
    ) -> None:
        assert far(loaded(png(scene(), *chunks)), np.asarray(scene(), dtype=float)) == 0


def tiff(values: npt.NDArray[np.generic], bits: int, form: int, order: str = "<") -> bytes:
    """A grey TIFF of one strip, of numbers that Pillow does not write."""
    height, width = values.shape
    data = values.tobytes()
    entries = [
        (256, 3, width), (257, 3, height), (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 134),
        (277, 3, 1), (278, 3, height), (279, 4, len(data)), (339, 3, form),
    ]  # fmt: skip
    table = b"".join(
        struct.pack(order + "HHI", tag, kind, 1)
        + struct.pack(order + ("HH" if kind == 3 else "I"), *((value, 0) if kind == 3 else (value,)))
        for tag, kind, value in entries
    )
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IH", 8, len(entries)) + table + struct.pack(order + "I", 0) + data


UNSIGNED, SIGNED, FLOAT = 1, 2, 3


class TestDeepGreys:
    @pytest.mark.parametrize(
        ("kind", "form", "top"),
        [
            ("<u2", UNSIGNED, 2**16 - 1), (">u2", UNSIGNED, 2**16 - 1), ("<i2", SIGNED, 2**15 - 1),
            ("<i4", SIGNED, 2**31 - 1), (">i4", SIGNED, 2**31 - 1), ("<u4", UNSIGNED, 2**32 - 1),
            ("<i4", SIGNED, 2**16 - 1), ("<i4", SIGNED, 2**8 - 1),
            ("<f4", FLOAT, 1), ("<f4", FLOAT, 255), (">f4", FLOAT, 65535),
        ],
    )  # fmt: skip
    def test_they_are_scaled_by_their_range(self, kind: str, form: int, top: int) -> None:
        levels = np.array([[0, 1, 140, 200, 255]])
        values = (levels / 255 * top).round() if form != FLOAT else levels / 255 * top
        order = "<" if kind[0] == "<" else ">"
        data = tiff(values.astype(kind), int(kind[2]) * 8, form, order)
        assert loaded(data)[0, :, 0].tolist() == levels[0].tolist()

    def test_twelve_bits(self) -> None:
        # two numbers in three bytes
        data = tiff(np.array([[0x00, 0x0F, 0xFF]], np.uint8), 12, UNSIGNED)
        at = data.index(struct.pack("<HHIHH", 256, 3, 1, 3, 0))
        data = data[: at + 8] + struct.pack("<H", 2) + data[at + 10 :]
        assert loaded(data)[0, :, 0].tolist() == [0, 255]

    def test_what_is_no_number_is_black(self) -> None:
        values = np.array([[np.nan, np.inf, -5, 1]], "<f4")
        assert loaded(tiff(values, 32, FLOAT))[0, :, 0].tolist() == [0, 0, 0, 255]

    def test_a_dark_one_stays_dark(self) -> None:
        values = np.full((2, 2), 2**30, "<i4")
        assert loaded(tiff(values, 32, SIGNED))[0, 0, 0] == 128


def test_a_profile_of_our_own_says_nothing_of_what_is_srgb() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("atelier", "{}")
    made = png(scene(), icc_profile=icc.rgb_profile(), pnginfo=text)
    assert far(loaded(made), np.asarray(scene(), dtype=float)) <= 1
