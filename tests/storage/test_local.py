"""What only a folder can get wrong: links, leftovers, file modes, empty folders."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from storage.base import StorageUnavailable
from storage.local import LocalStorage


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def storage(root: Path) -> LocalStorage:
    return LocalStorage(root)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


def test_a_linked_folder_is_not_entered(storage: LocalStorage, root: Path, outside: Path) -> None:
    storage.put("a/b", io.BytesIO(b"x"))
    (root / "a" / "link").symlink_to(outside)
    (root / "top").symlink_to(outside)

    for key in ("a/link/secret", "top/secret"):
        with pytest.raises(FileNotFoundError):
            storage.open(key)
        with pytest.raises(FileNotFoundError):
            storage.stat(key)
        with pytest.raises(ValueError, match="link"):
            storage.put(key, io.BytesIO(b"overwritten"))
        storage.delete(key)
    assert [info.key for info in storage.list("")] == ["a/b"]
    assert storage.delete_all("a/link") == 0
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_a_linked_file_is_not_followed(storage: LocalStorage, root: Path, outside: Path) -> None:
    storage.put("a/b", io.BytesIO(b"x"))
    (root / "a" / "link").symlink_to(outside / "secret")

    with pytest.raises(FileNotFoundError):
        storage.open("a/link")
    with pytest.raises(FileNotFoundError):
        storage.stat("a/link")
    storage.put("a/link", io.BytesIO(b"mine"))

    assert (outside / "secret").read_text() == "secret"
    assert not (root / "a" / "link").is_symlink()


def test_a_linked_incoming_folder_is_refused(storage: LocalStorage, root: Path, outside: Path) -> None:
    root.mkdir()
    (root / "~incoming").symlink_to(outside)

    with pytest.raises(StorageUnavailable):
        storage.put("a", io.BytesIO(b"x"))

    assert len(list(outside.iterdir())) == 1


def test_a_pipe_is_not_an_object_and_blocks_nobody(storage: LocalStorage, root: Path) -> None:
    storage.put("a/b", io.BytesIO(b"x"))
    os.mkfifo(root / "a" / "pipe")

    with pytest.raises(FileNotFoundError):
        storage.open("a/pipe")
    assert [info.key for info in storage.list("a")] == ["a/b"]


def test_the_root_may_be_a_link(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "data").symlink_to(outside)

    LocalStorage(tmp_path / "data").put("a", io.BytesIO(b"x"))

    assert (outside / "a").read_bytes() == b"x"


def test_what_a_crash_left_is_never_listed_and_goes_after_a_day(root: Path) -> None:
    incoming = root / "~incoming"
    incoming.mkdir(parents=True)
    (incoming / "old").write_bytes(b"half")
    (incoming / "young").write_bytes(b"half")
    two_days_ago = time.time() - 2 * 86400
    os.utime(incoming / "old", (two_days_ago, two_days_ago))
    storage = LocalStorage(root)

    assert list(storage.list("")) == []
    storage.put("a", io.BytesIO(b"x"))

    assert [path.name for path in incoming.iterdir()] == ["young"]
    assert [info.key for info in storage.list("")] == ["a"]


def test_delete_prunes_empty_folders_up_to_the_root(storage: LocalStorage, root: Path) -> None:
    storage.put("a/b/c/d", io.BytesIO(b"x"))
    storage.put("a/e", io.BytesIO(b"x"))

    storage.delete("a/b/c/d")
    assert sorted(path.name for path in (root / "a").iterdir()) == ["e"]
    storage.delete("a/e")

    assert not (root / "a").exists()
    assert root.exists()


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a")])
def test_a_key_is_a_file_or_a_folder(storage: LocalStorage, first: str, second: str) -> None:
    storage.put(first, io.BytesIO(b"x"))

    with pytest.raises(ValueError, match="clashes"):
        storage.put(second, io.BytesIO(b"y"))

    assert [info.key for info in storage.list("")] == [first]


def test_a_root_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    storage = LocalStorage(tmp_path / "file" / "objects")

    with pytest.raises(StorageUnavailable):
        storage.check()
    with pytest.raises(FileNotFoundError):
        storage.open("a")
    assert list(storage.list("")) == []


def test_reading_before_the_first_put_finds_nothing(storage: LocalStorage, root: Path) -> None:
    assert list(storage.list("")) == []
    storage.delete("a/b")
    with pytest.raises(FileNotFoundError):
        storage.stat("a")
    assert not root.exists()


def test_an_open_stream_outlives_its_replacement_and_its_deletion(storage: LocalStorage) -> None:
    storage.put("a", io.BytesIO(b"old"))

    with storage.open("a") as stream:
        storage.put("a", io.BytesIO(b"new"))
        storage.delete("a")
        assert stream.read() == b"old"
