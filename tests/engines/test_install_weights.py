"""How weight files come where they lie: verified, copied, or fetched from a real local server."""

# ruff: noqa: ARG001 - fixtures and callbacks take what they are called with

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engines import install_weights, weights
from engines.weights import WEIGHTS, Weight, WeightsError

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
        elif self.path == "/absent":
            self.send_error(404)
        else:
            sent = {"/good": CONTENT, "/other": b"x" * 100, "/short": CONTENT[:1000]}[self.path]
            announced = CONTENT if self.path == "/short" else sent
            self.send_response(200)
            self.send_header("Content-Length", str(len(announced)))
            self.end_headers()
            self.wfile.write(sent)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty weights folder and a registry with one small file."""
    folder = tmp_path / "weights"
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(folder))
    small = Weight("small", "small.bin", "http://127.0.0.1:9/", SHA256[:8], "CC0", "A test file.")
    monkeypatch.setitem(WEIGHTS, "small", small)
    return folder


def contents(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []


def test_pull_verifies_and_settles(folder: Path, server: str) -> None:
    # given
    assert not weights.present("small")
    seen: list[tuple[int, int | None]] = []
    # when
    installed = install_weights.pull(
        "small", f"{server}/good", progress=lambda done, total: seen.append((done, total))
    )
    # then
    assert installed.read_bytes() == CONTENT
    assert weights.present("small")
    assert contents(folder) == ["small.bin"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_pull_follows_redirects(folder: Path, server: str) -> None:
    install_weights.pull("small", f"{server}/moved")
    assert contents(folder) == ["small.bin"]


@pytest.mark.parametrize("path", ["/absent", "/other", "/short"])
def test_a_failed_pull_leaves_nothing_behind(folder: Path, server: str, path: str) -> None:
    with pytest.raises(WeightsError, match="small"):
        install_weights.pull("small", server + path)
    assert contents(folder) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "nonsense", "ftp://127.0.0.1/a"])
def test_an_unreachable_source_is_a_clear_error(folder: Path, url: str) -> None:
    with pytest.raises(WeightsError, match="cannot be fetched"):
        install_weights.pull("small", url)
    assert contents(folder) == []


def test_a_failed_pull_keeps_the_installed_file(folder: Path, server: str) -> None:
    install_weights.pull("small", f"{server}/good")
    with pytest.raises(WeightsError):
        install_weights.pull("small", f"{server}/other")
    assert weights.path("small").read_bytes() == CONTENT


def test_an_interrupted_pull_cleans_up(folder: Path, server: str) -> None:
    def stop(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install_weights.pull("small", f"{server}/good", progress=stop)
    assert contents(folder) == []


def test_install_copies_a_verified_file(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(CONTENT)
    install_weights.install("small", tmp_path / "mine")
    assert weights.path("small").read_bytes() == CONTENT
    assert (tmp_path / "mine").is_file()


@pytest.mark.parametrize("content", [None, b"", b"another"])
def test_install_refuses_other_files(folder: Path, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "mine").write_bytes(content)
    with pytest.raises(WeightsError):
        install_weights.install("small", tmp_path / "mine")
    assert not weights.present("small")


def test_a_folder_that_cannot_be_written_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (tmp_path / "mine").write_bytes(CONTENT)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path / "file" / "weights"))
    with pytest.raises(WeightsError, match="cannot be written"):
        install_weights.install("small", tmp_path / "mine")
