"""A job's results as one ZIP, streamed."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from api.answers.archive import CHUNK, Entry, archive, distinct, length

AT = datetime(2026, 11, 27, 12, tzinfo=UTC)


def entry(name, data):
    return Entry(name, len(data), lambda: io.BytesIO(data))


def test_it_is_written_piece_by_piece():
    """Never more than a piece of a file is there at once, and nothing is read before it is asked for."""
    opened = []

    class Zeros(io.RawIOBase):
        left = 200 * CHUNK

        def read(self, size=-1):
            assert size == CHUNK
            self.left -= size
            return b"\0" * size if self.left >= 0 else b""

    def read():
        opened.append(1)
        return Zeros()

    entries = [Entry(f"{n}.bin", 200 * CHUNK, read) for n in range(3)]
    pieces = archive(entries, AT)
    sizes = [len(next(pieces))]
    assert opened == [1]
    sizes += map(len, pieces)
    assert max(sizes) < CHUNK + 1000
    assert sum(sizes) == length(entries, AT)


@pytest.mark.parametrize(
    "entries", [[], [entry("a", b"")], [entry("ż.png", b"x"), entry("b" * 200, b"y" * 70_000)]]
)
def test_the_length_is_known_before(entries):
    assert length(entries, AT) == sum(map(len, archive(entries, AT)))


def test_of_very_large_files_no_length_is_promised():
    assert length([Entry("a", 3 * 2**30, io.BytesIO)], AT) is None


def test_a_file_that_is_not_as_recorded_breaks_it_off():
    with pytest.raises(ValueError, match="recorded"):
        list(archive([Entry("a", 5, lambda: io.BytesIO(b"four"))], AT))


def test_names_are_plain_and_each_there_once():
    names = ["a.png", "../../A.png", "a.png", "job.json", "..", "x\\y\\a.png"]
    assert distinct(names, ["job.json"]) == [
        "a.png", "A-2.png", "a-3.png", "job-2.json", "result", "a-4.png",
    ]  # fmt: skip
