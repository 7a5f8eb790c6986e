"""One contract, every store."""

from __future__ import annotations

import io
import os
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage import open_storage
from storage.base import MAX_KEY_LENGTH, Storage, check_key
from tests.examples import examples

MIB = 1024 * 1024


class Breaking(io.RawIOBase):
    """A stream that gives `good` zero bytes and then fails as a client's connection does."""

    def __init__(self, good: int, error: Exception) -> None:
        self._left = good
        self._error = error

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            raise self._error
        size = self._left if size < 0 else min(size, self._left)
        self._left -= size
        return bytes(size)


def put(storage: Storage, key: str, data: bytes = b"x") -> None:
    storage.put(key, io.BytesIO(data))


def read(storage: Storage, key: str, start: int = 0, end: int | None = None) -> bytes:
    with storage.open(key, start, end) as stream:
        return stream.read()


def keys(storage: Storage, prefix: str) -> list[str]:
    return [info.key for info in storage.list(prefix)]


def test_what_is_put_is_read_back(storage: Storage) -> None:
    before = datetime.now(UTC)

    info = storage.put("jobs/a/1/out.png", io.BytesIO(b"picture"), media_type="image/png")

    assert (info.key, info.size) == ("jobs/a/1/out.png", 7)
    assert abs(info.modified - before) < timedelta(seconds=60)
    assert read(storage, "jobs/a/1/out.png") == b"picture"
    found = storage.stat("jobs/a/1/out.png")
    assert (found.key, found.size) == (info.key, info.size)
    assert abs(found.modified - before) < timedelta(seconds=60)
    assert found.modified.utcoffset() == timedelta(0)


def test_put_reads_from_where_the_stream_stands_and_leaves_it_open(storage: Storage) -> None:
    stream = io.BytesIO(b"skipped-kept")
    stream.seek(8)

    info = storage.put("a", stream)

    assert not stream.closed
    assert info.size == 4
    assert read(storage, "a") == b"kept"


def test_an_empty_object_is_an_object(storage: Storage) -> None:
    put(storage, "empty", b"")

    assert storage.stat("empty").size == 0
    assert read(storage, "empty") == b""
    assert read(storage, "empty", 0, 10) == b""


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (0, 4, b"0123"),
        (3, 4, b"3"),
        (9, 10, b"9"),
        (5, 99, b"56789"),
        (4, 4, b""),
        (10, None, b""),
        (99, 120, b""),
    ],
)
def test_a_range_is_half_open_and_cut_at_the_end(
    storage: Storage, start: int, end: int | None, expected: bytes
) -> None:
    put(storage, "digits", b"0123456789")

    assert read(storage, "digits", start, end) == expected


def test_an_impossible_range_is_refused(storage: Storage) -> None:
    put(storage, "a")

    for start, end in ((-1, None), (4, 2), (0, -1)):
        with pytest.raises(ValueError, match="range"):
            storage.open("a", start, end)


def test_reading_in_small_steps_gives_the_same_bytes(storage: Storage) -> None:
    data = os.urandom(300_000)
    put(storage, "a", data)

    with storage.open("a", 1000) as stream:
        parts = list(iter(lambda: stream.read(4096), b""))

    assert b"".join(parts) == data[1000:]


@pytest.mark.parametrize("call", ["open", "stat", "open_nothing"])
def test_a_missing_key_is_file_not_found(storage: Storage, call: str) -> None:
    put(storage, "folder/a")

    for key in ("missing", "folder", "folder/a/b"):
        with pytest.raises(FileNotFoundError):
            {
                "open": lambda key: storage.open(key),
                "stat": lambda key: storage.stat(key),
                "open_nothing": lambda key: storage.open(key, 3, 3),
            }[call](key)


def test_put_replaces(storage: Storage) -> None:
    put(storage, "a", b"the first, longer one")
    put(storage, "a", b"second")

    assert read(storage, "a") == b"second"
    assert storage.stat("a").size == 6


@pytest.mark.parametrize("good", [0, 100, 20 * MIB])
def test_a_stream_that_fails_leaves_what_was_there(storage: Storage, good: int) -> None:
    put(storage, "old", b"old")

    for key in ("old", "folder/new"):
        with pytest.raises(ConnectionResetError, match="client went away"):
            storage.put(key, Breaking(good, ConnectionResetError("client went away")))  # type: ignore[arg-type]

    assert read(storage, "old") == b"old"
    with pytest.raises(FileNotFoundError):
        storage.stat("folder/new")
    assert keys(storage, "") == ["old"]


def test_a_file_not_found_of_the_stream_itself_passes(storage: Storage) -> None:
    error = FileNotFoundError("the upload's spool")

    with pytest.raises(FileNotFoundError) as raised:
        storage.put("a", Breaking(10, error))  # type: ignore[arg-type]

    assert raised.value is error


def test_list_takes_whole_parts_in_key_order(storage: Storage) -> None:
    for key in ("jobs/a/2", "jobs/ab", "jobs/a/1/z", "jobs/a-b/1", "jobs/a.b/1", "jobs/a/1.txt", "other/a"):
        put(storage, key)

    assert keys(storage, "jobs/a") == ["jobs/a/1.txt", "jobs/a/1/z", "jobs/a/2"]
    assert keys(storage, "jobs/a/2") == []
    assert keys(storage, "nothing") == []
    assert keys(storage, "jobs") == sorted(keys(storage, "jobs"))
    assert len(keys(storage, "")) == 7
    assert next(storage.list("jobs/a/1")).size == 1


def test_delete_takes_one_and_may_be_repeated(storage: Storage) -> None:
    put(storage, "jobs/a/1")
    put(storage, "jobs/a/2")

    storage.delete("jobs/a/1")
    storage.delete("jobs/a/1")
    storage.delete("never/was")
    storage.delete("jobs/a")  # a folder is not an object

    assert keys(storage, "") == ["jobs/a/2"]


def test_delete_all_takes_the_folder_alone(storage: Storage) -> None:
    for key in ("jobs/a/1", "jobs/a/b/2", "jobs/ab/1"):
        put(storage, key)

    assert storage.delete_all("jobs/a") == 2
    assert storage.delete_all("jobs/a") == 0
    assert keys(storage, "") == ["jobs/ab/1"]


def test_delete_all_of_everything_is_refused(storage: Storage) -> None:
    put(storage, "a")

    with pytest.raises(ValueError, match="key"):
        storage.delete_all("")

    assert keys(storage, "") == ["a"]


def test_more_objects_than_one_page(storage: Storage) -> None:
    names = [f"many/{i % 7}/{i:04}" for i in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(storage, key), names))

    assert keys(storage, "many") == sorted(names)
    assert storage.delete_all("many") == 1005
    assert keys(storage, "") == []


def test_a_large_object_passes_in_bounded_memory(storage: Storage) -> None:
    size = 100 * MIB if type(storage).__name__ == "LocalStorage" else 20 * MIB

    class Zeros(Breaking):
        def read(self, size: int = -1) -> bytes:
            return super().read(size) if self._left else b""

    info = storage.put("film", Zeros(size, OSError()))  # type: ignore[arg-type]

    assert info.size == size
    assert storage.stat("film").size == size
    tracemalloc.start()
    with storage.open("film") as stream:
        count = sum(len(part) for part in iter(lambda: stream.read(MIB), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == size
    if type(storage).__name__ == "LocalStorage":  # the others' servers live in this process, too
        assert peak < 8 * MIB


def test_reads_see_one_whole_object_while_others_write(storage: Storage) -> None:
    size = 200_000
    put(storage, "contended/a", b"\0" * size)
    stop = threading.Event()

    def write(value: int) -> None:
        while not stop.is_set():
            put(storage, "contended/a", bytes([value]) * size)

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, value) for value in (1, 2, 3)]
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            data = read(storage, "contended/a")
            assert len(data) == size
            assert len(set(data)) == 1
        stop.set()
        for writer in writers:
            writer.result()


def test_puts_and_deletes_of_neighbours_do_not_disturb_each_other(storage: Storage) -> None:
    def churn(worker: int) -> None:
        for turn in range(12):
            key = f"deep/er/and/deeper/{worker}"
            put(storage, key, b"%d" % turn)
            assert read(storage, key) == b"%d" % turn
            storage.delete(key)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(churn, range(6)))

    assert keys(storage, "") == []


@pytest.mark.parametrize(
    "key",
    [
        "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a\\b", "a b", "a\0b",
        "a\n", "ü", "~a", "a:b", "a?b", "x" * 256, "/".join(["x" * 100] * 6),
    ],
)  # fmt: skip
def test_a_bad_key_is_refused_by_every_call(storage: Storage, key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        put(storage, key)
    for call in (storage.open, storage.stat, storage.delete, storage.delete_all):
        with pytest.raises(ValueError, match="key"):
            call(key)
    if key:
        with pytest.raises(ValueError, match="key"):
            storage.list(key)
    with pytest.raises(ValueError, match="key"):
        storage.presigned_get(key, expires=60)
    with pytest.raises(ValueError, match="key"):
        storage.presigned_put(key, expires=60, media_type="image/png")


@given(st.text(alphabet=st.characters() | st.sampled_from("./\\-_a0"), max_size=40))
def test_a_key_that_passes_cannot_climb(key: str) -> None:
    try:
        check_key(key)
    except ValueError:
        return
    assert key.isascii()
    assert len(key) <= MAX_KEY_LENGTH
    assert os.path.normpath(key) == key
    assert not key.startswith(("/", ".."))


@settings(
    max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    key=st.lists(st.text("aZ09._-", min_size=1, max_size=12), min_size=1, max_size=4)
    .filter(lambda parts: not {".", ".."} & set(parts))
    .map("/".join),
    data=st.binary(max_size=2000),
    cut=st.tuples(st.integers(0, 2500), st.integers(0, 2500)).map(sorted),
)
def test_any_good_key_holds_any_bytes(storage: Storage, key: str, data: bytes, cut: list[int]) -> None:
    start, end = cut

    put(storage, key, data)

    assert read(storage, key) == data
    assert read(storage, key, start, end) == data[start:end]
    assert keys(storage, "") == [key]
    storage.delete(key)
    assert keys(storage, "") == []


def test_check_leaves_nothing_behind(storage: Storage) -> None:
    storage.check()

    assert keys(storage, "") == []


def test_presigned_urls_read_and_write_where_there_are_any(storage: Storage) -> None:
    put(storage, "a/b.png", b"picture")

    get = storage.presigned_get("a/b.png", expires=60, filename='Zoë "x"/é\r\n.png')
    put_url = storage.presigned_put("a/new", expires=60, media_type="image/png")

    if get is None or put_url is None:
        assert get is put_url
        assert type(storage).__name__ != "S3Storage"
        return
    with httpx.Client(trust_env=False) as client:
        answer = client.get(get)
        assert (answer.status_code, answer.content) == (200, b"picture")
        assert client.get(get, headers={"Range": "bytes=0-2"}).content == b"pic"
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith('attachment; filename="Zo_ _x')
        assert "filename*=UTF-8''Zo%C3%AB%20" in disposition
        answer = client.put(put_url, content=b"uploaded", headers={"Content-Type": "image/png"})
        assert answer.status_code == 200
    assert read(storage, "a/new") == b"uploaded"


@pytest.mark.parametrize(
    "url",
    ["ftp://a", "nonsense", "file://host/path", "file:///", "file:relative", "file:///a?b=c",
     "s3://", "s3:///prefix", "s3://bucket/../x", "s3://bucket?endpont=x", "memory://x"],
)  # fmt: skip
def test_a_url_of_no_store_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"storage|S3|key"):
        open_storage(url)


def test_the_environment_names_the_default_store(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_URL", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "with space"))
    put(open_storage(), "a")
    assert (tmp_path / "with space/.local/share/atelier/objects/a").read_bytes() == b"x"

    monkeypatch.setenv("STORAGE_URL", (tmp_path / "elsewhere").as_uri())
    put(open_storage(), "a")
    assert (tmp_path / "elsewhere" / "a").read_bytes() == b"x"
