"""Pictures to train on: folders and ZIPs, labels, what is refused, and the order they are shown in."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engines import icc
from tests.examples import examples
from tests.training.stylegan.datasets import FILES, picture, png, unpacked, zipped
from training.stylegan.archive import BadDataset
from training.stylegan.batches import Batches
from training.stylegan.dataset import Pictures


class TestPictures:
    def test_all_are_found_in_a_fixed_order(self, made):
        pictures = Pictures(made(FILES | {"readme.txt": b"mine", "__MACOSX/a/._0.png": b"", ".x/0.png": b""}))
        assert [pictures.name(index) for index in range(len(pictures))] == sorted(FILES)
        assert (pictures.side, pictures.channels, pictures.label_size) == (16, 3, 0)
        assert torch.equal(pictures.picture(2)[1, 0], torch.arange(16, dtype=torch.uint8) + 20)
        assert pictures.label(2).shape == (0,)

    def test_what_is_kept_in_memory_is_what_was_read(self, made):
        path = made(FILES)
        kept, read = Pictures(path), Pictures(path, memory=0)
        for _ in range(2):
            for index in range(len(kept)):
                assert torch.equal(kept.picture(index), read.picture(index))

    def test_mirrored_ones_follow(self, made):
        pictures = Pictures(made(FILES), mirror=True)
        assert len(pictures) == 12
        for index in range(6):
            assert torch.equal(pictures.picture(index + 6), pictures.picture(index).flip(2))
            assert pictures.name(index + 6) == pictures.name(index)

    def test_greys_have_one_channel_and_mixtures_three(self, made):
        assert Pictures(made({"0.png": png(picture(0, mode="L"))})).channels == 1
        mixture = Pictures(made({"0.png": png(picture(0, mode="L")), "1.png": png(picture(0))}))
        assert mixture.channels == 3
        assert torch.equal(mixture.picture(0), mixture.picture(1))

    def test_sixteen_bits_become_eight(self, made):
        deep = Image.fromarray((np.arange(16, dtype=np.uint16) * 4096)[None, :].repeat(16, 0))
        pictures = Pictures(made({"0.png": png(deep)}))
        assert pictures.channels == 1
        assert pictures.picture(0)[0, 3].tolist() == [round(value * 4096 / 257) for value in range(16)]

    @pytest.mark.parametrize(("mode", "form"), [("CMYK", "JPEG"), ("P", "PNG"), ("1", "PNG"), ("LA", "PNG")])
    def test_other_modes_are_read_as_the_colours_they_show(self, made, mode, form):
        shown = Image.fromarray(np.repeat(np.array([[0] * 8 + [255] * 8], np.uint8), 16, 0))
        out = io.BytesIO()
        shown.convert(mode).save(out, form)
        pictures = Pictures(made({f"0.{form.lower()}": out.getvalue()}))
        found = pictures.picture(0)
        assert found.shape == (1 if mode in ("1", "LA") else 3, 16, 16)
        assert found[:, :, :7].max() <= 4
        assert found[:, :, 9:].min() >= 251

    def test_colours_are_those_that_are_seen(self, made):
        profile = icc.rgb_profile(((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)))
        out = io.BytesIO()
        Image.new("RGB", (16, 16), (104, 147, 213)).save(out, "PNG", icc_profile=profile)
        found = Pictures(made({"0.png": out.getvalue()})).picture(0)
        assert found[:, 3, 3].tolist() == [91, 148, 219]  # a sky, which would be paler

    def test_greys_are_those_that_are_seen(self, made):
        out = io.BytesIO()
        Image.new("L", (16, 16), 68).save(out, "PNG", icc_profile=icc.grey_profile((1.0,)))
        found = Pictures(made({"0.png": out.getvalue()})).picture(0)
        assert found.shape == (1, 16, 16)
        assert found[0, 3, 3] == 141

    def test_one_picture_is_a_dataset(self, made):
        with Batches(Pictures(made({"0.png": FILES["a/1.png"]})), 3, seed=1) as batches:
            pixels, labels = batches.at(5)
        assert pixels[:, 0, 0, 0].tolist() == [10, 10, 10]
        assert labels.shape == (3, 0)

    def test_what_is_transparent_becomes_black(self, made):
        image = picture(200, mode="RGBA")
        image.putalpha(Image.fromarray(np.repeat(np.array([[0] * 8 + [255] * 8], np.uint8), 16, 0)))
        found = Pictures(made({"0.png": png(image)})).picture(0)
        assert found[:, :, :8].max() == 0
        assert found[:, :, 8:].min() == 208

    def test_others_are_scaled_when_asked_for(self, made):
        files = {"0.png": png(picture(0, side=40, width=60)), "1.png": png(picture(0, side=17))}
        with pytest.raises(BadDataset, match=r"0\.png has 60 x 40 pixels; .*--resize"):
            Pictures(made(files))
        pictures = Pictures(made(files), resize=32)
        assert pictures.picture(0).shape == (3, 32, 32)
        # the 40 pixels in the middle of 60
        assert abs(int(pictures.picture(0)[0, 16, 0]) - 10) <= 1

    @pytest.mark.parametrize("resize", [4, 33, 4096, 0, -8])
    def test_no_network_is_of_that_side(self, made, resize):
        with pytest.raises(BadDataset, match="cannot be scaled"):
            Pictures(made(FILES), resize=resize)


class TestLabels:
    @staticmethod
    def listed(labels: Any) -> dict[str, bytes]:
        return FILES | {"dataset.json": json.dumps({"labels": labels}).encode()}

    def test_classes_by_number(self, made):
        labels = [[name, place % 3] for place, name in enumerate(sorted(FILES))]
        pictures = Pictures(made(self.listed(labels)), labels=True, mirror=True)
        assert pictures.label_size == 3
        assert pictures.label(4).tolist() == [0.0, 1.0, 0.0]
        assert pictures.label(10).tolist() == [0.0, 1.0, 0.0]

    def test_vectors(self, made):
        labels = [[name, [place, 0.5]] for place, name in enumerate(sorted(FILES))]
        assert Pictures(made(self.listed(labels)), labels=True).label(3).tolist() == [3.0, 0.5]

    def test_folders_are_classes_where_nothing_is_listed(self, made):
        pictures = Pictures(made(FILES), labels=True)
        assert pictures.classes == ("a", "b")
        assert [pictures.label(index).argmax().item() for index in range(6)] == [0, 0, 0, 1, 1, 1]

    def test_labels_are_left_alone_when_not_asked_for(self, made):
        assert Pictures(made(self.listed("nonsense"))).label_size == 0

    def test_pictures_without_a_class_are_refused(self, made):
        with pytest.raises(BadDataset, match="no labels"):
            Pictures(made({"0.png": FILES["a/0.png"]}), labels=True)

    @pytest.mark.parametrize(
        "labels",
        [
            None,
            5,
            [["a/0.png", 0]],
            [[name, -1] for name in FILES],
            [[name, 10**9] for name in FILES],
            [[name, True] for name in FILES],
            [[name, "red"] for name in FILES],
            [[name, []] for name in FILES],
            [[name, [10**400]] for name in FILES],
            [[name, [float("nan")]] for name in FILES],
            [[name, [float("inf")]] for name in FILES],
            [[name, [[1.0]]] for name in FILES],
            [[name, [1.0] * (1 + place % 2)] for place, name in enumerate(FILES)],
            [[name, 0 if place else [1.0]] for place, name in enumerate(FILES)],
            [[name, [1.0] if place else 0] for place, name in enumerate(FILES)],
            {"a/0.png": 1},
        ],
    )
    def test_other_forms_are_refused(self, made, labels):
        with pytest.raises(BadDataset):
            Pictures(made(self.listed(labels)), labels=True)

    @pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff\xfe", b'{"labels": '])
    def test_what_is_no_json_is_refused(self, made, data):
        with pytest.raises(BadDataset, match="form"):
            Pictures(made(FILES | {"dataset.json": data}), labels=True)


class TestRefused:
    @pytest.mark.parametrize("files", [{}, {"readme.txt": b"no pictures"}])
    def test_nothing_to_train_on(self, made, files, tmp_path):
        (tmp_path / "data").mkdir()
        with pytest.raises(BadDataset, match="no pictures"):
            Pictures(made(files))

    def test_what_only_calls_itself_a_picture(self, made):
        with pytest.raises(BadDataset, match=r"b/9\.png is no picture"):
            Pictures(made(FILES | {"b/9.png": b"GIF89a nothing"}))

    def test_a_format_that_is_not_expected(self, made):
        out = io.BytesIO()
        picture(0).save(out, "TIFF")
        with pytest.raises(BadDataset, match=r"9\.png is no picture"):
            Pictures(made(FILES | {"9.png": out.getvalue()}))

    def test_a_picture_whose_end_is_missing_is_told_when_it_is_read(self, made):
        whole = png(Image.effect_noise((16, 16), 80).convert("RGB"))
        pictures = Pictures(made({"0.png": whole[: len(whole) // 2]}))
        with pytest.raises(BadDataset, match=r"0\.png is no picture"):
            pictures.picture(0)

    def test_sides_that_differ(self, made):
        with pytest.raises(BadDataset, match=r"z\.png has 32 x 32 pixels, and a/0\.png has 16"):
            Pictures(made(FILES | {"z.png": png(picture(0, side=32))}))

    @pytest.mark.parametrize("side", [4, 12, 17])
    def test_sides_of_no_network(self, made, side):
        with pytest.raises(BadDataset, match="must be square"):
            Pictures(made({"0.png": png(picture(0, side=side))}))

    @pytest.mark.parametrize("resize", [None, 16])
    def test_a_picture_of_billions_of_pixels(self, made, resize):
        """A header that says so; nothing behind it."""
        size = (40_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
        crc = zlib.crc32(b"IHDR" + size).to_bytes(4, "big")
        bomb = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR" + size + crc
        with pytest.raises(BadDataset, match=r"0\.png"):
            Pictures(made({"0.png": bomb}), resize=resize)


class TestHostileZip:
    @pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"PK\x03\x04" + b"\x00" * 100, b"no archive"])
    def test_no_zip_at_all(self, tmp_path, data):
        (tmp_path / "data.zip").write_bytes(data)
        with pytest.raises(BadDataset, match="neither a folder nor a ZIP"):
            Pictures(tmp_path / "data.zip")

    def test_nothing_there(self, tmp_path):
        with pytest.raises(BadDataset, match="neither a folder nor a ZIP"):
            Pictures(tmp_path / "absent")

    @pytest.mark.parametrize("name", ["../0.png", "a/../../0.png", "/etc/0.png", "a\\..\\0.png", "C:/0.png"])
    def test_names_that_lead_out(self, tmp_path, name):
        with pytest.raises(BadDataset, match="leads out"):
            Pictures(zipped(tmp_path / "data.zip", FILES | {name: FILES["a/0.png"]}))

    @pytest.mark.parametrize("name", ["inner.zip", "a/INNER.ZIP", "x.tar.gz"])
    def test_archives_inside(self, tmp_path, name):
        with pytest.raises(BadDataset, match="an archive itself"):
            Pictures(zipped(tmp_path / "data.zip", FILES | {name: b"PK\x05\x06" + b"\x00" * 18}))

    def test_bombs(self, tmp_path):
        path = zipped(tmp_path / "data.zip", {"0.png": b"\x00" * 40_000_000}, zipfile.ZIP_DEFLATED)
        with pytest.raises(BadDataset, match="bomb"):
            Pictures(path)

    def test_two_files_of_one_name(self, tmp_path):
        path = tmp_path / "data.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("0.png", FILES["a/0.png"])
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("0.png", FILES["a/1.png"])
        with pytest.raises(BadDataset, match="two files"):
            Pictures(path)

    def test_links(self, tmp_path):
        path = tmp_path / "data.zip"
        link = zipfile.ZipInfo("0.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(link, "/etc/passwd")
        with pytest.raises(BadDataset, match="link"):
            Pictures(path)

    def test_locked_files(self, tmp_path):
        data = bytearray(zipped(tmp_path / "data.zip", {"0.png": FILES["a/0.png"]}).read_bytes())
        data[data.index(b"PK\x01\x02") + 8] |= 1
        (tmp_path / "data.zip").write_bytes(data)
        with pytest.raises(BadDataset, match="encrypted"):
            Pictures(tmp_path / "data.zip")

    @pytest.mark.parametrize("name", [b"\x00.png", b"\xff.png"])
    def test_names_that_are_none(self, tmp_path, name):
        """A name that ends before it begins, and one that claims to be UTF-8."""
        data = bytearray(zipped(tmp_path / "data.zip", {"0.png": FILES["a/0.png"]}).read_bytes())
        place = data.index(b"PK\x01\x02")
        data[place + 46 : place + 51] = name
        data[place + 9] |= 0x08
        (tmp_path / "data.zip").write_bytes(data)
        with pytest.raises(BadDataset, match=r"without a name|neither a folder"):
            Pictures(tmp_path / "data.zip")

    @pytest.mark.parametrize("place", [2**63 - 1, 2**63, 2**64 - 1])
    def test_places_that_no_file_has(self, tmp_path, place):
        """The ZIP64 place of a file, past what a file can be long."""
        data = zipped(tmp_path / "data.zip", {"0.png": FILES["a/0.png"]}).read_bytes()
        start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
        entry = bytearray(data[start:end])
        entry[42:46] = b"\xff" * 4
        entry[30:32] = struct.pack("<H", 12)
        entry += struct.pack("<HHQ", 1, 8, place)
        ending = bytearray(data[end:])
        ending[12:16] = struct.pack("<I", len(entry))
        (tmp_path / "data.zip").write_bytes(data[:start] + entry + ending)
        with pytest.raises(BadDataset, match="cannot be read"):
            Pictures(tmp_path / "data.zip")

    def test_other_compressions(self, tmp_path):
        path = zipped(tmp_path / "data.zip", {"0.png": FILES["a/0.png"]}, zipfile.ZIP_LZMA)
        with pytest.raises(BadDataset, match="neither stored nor deflated"):
            Pictures(path)

    def test_a_file_larger_than_any_picture(self, tmp_path, monkeypatch):
        monkeypatch.setattr("training.stylegan.archive.MAX_FILE", 100)
        with pytest.raises(BadDataset, match="larger than"):
            Pictures(zipped(tmp_path / "data.zip", {"0.png": b"\x00" * 101}))
        with pytest.raises(BadDataset, match="larger than"):
            Pictures(unpacked(tmp_path / "data", {"0.png": b"\x00" * 101}))

    def test_more_files_than_any_dataset(self, tmp_path, monkeypatch):
        monkeypatch.setattr("training.stylegan.archive.MAX_FILES", 5)
        with pytest.raises(BadDataset, match="6 entries"):
            Pictures(zipped(tmp_path / "data.zip", FILES))

    @settings(
        deadline=None, max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=12))
    def test_damaged_bytes_anywhere_are_a_clean_refusal_or_pictures(self, tmp_path, changes):
        # given
        whole = zipped(tmp_path / "whole.zip", FILES | {"dataset.json": b'{"labels": [["a/0.png", 1]]}'})
        data = bytearray(whole.read_bytes())
        for place, value in changes:
            data[place % len(data)] = value
        (tmp_path / "damaged.zip").write_bytes(data)
        # when
        try:
            pictures = Pictures(tmp_path / "damaged.zip")
            found = [pictures.picture(index) for index in range(len(pictures))]
        except BadDataset:
            return
        # then
        assert all(one.shape == (pictures.channels, pictures.side, pictures.side) for one in found)
