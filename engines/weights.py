"""The weight files engines may need: what they are, where they lie, and how they get there.

No torch here: the API asks `present`, the command line `pull`s. Nothing is fetched unless asked for.
Owns the environment variable ATELIER_WEIGHTS_DIR.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 20

#: Called with (bytes so far, total bytes or None).
Progress = Callable[[int, int | None], None]


class WeightsError(Exception):
    """A weight file could not be fetched, is not what it should be, or is unknown."""


@dataclass(frozen=True)
class Weight:
    """One published weight file."""

    name: str
    filename: str
    url: str
    #: The first hex digits of the file's sha256; torchvision publishes the first eight, in the file's name.
    sha256_prefix: str
    licence: str
    about: str


WEIGHTS = {
    weight.name: weight
    for weight in (
        Weight(
            name="vgg19",
            filename="vgg19-dcbb9e9d.pth",
            url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
            sha256_prefix="dcbb9e9d",
            licence="BSD-3-Clause (torchvision); trained on ImageNet, whose images are for research use",
            about="VGG-19 classifier (Simonyan and Zisserman 2014) trained on ImageNet; neural_style, "
            "method=gatys, measures style and content with its convolutions. 548 MiB.",
        ),
    )
}


def weight(name: str) -> Weight:
    """The registry's entry. Raises WeightsError for an unknown name."""
    try:
        return WEIGHTS[name]
    except KeyError:
        known = ", ".join(sorted(WEIGHTS))
        raise WeightsError(f"unknown weights {name!r}; known: {known}") from None


def weights_dir() -> Path:
    """The folder of weight files: ATELIER_WEIGHTS_DIR, else one in the user's data folder."""
    return Path(os.environ.get("ATELIER_WEIGHTS_DIR") or "~/.local/share/atelier/weights").expanduser()


def path(name: str) -> Path:
    """Where the file lies once installed. Raises WeightsError for an unknown name."""
    return weights_dir() / weight(name).filename


def present(name: str) -> bool:
    """Whether the file is there. `install` and `pull` put only verified files there."""
    return path(name).is_file()


def verify(file: Path, expected: Weight) -> str:
    """Check the file's sha256 and return it. Raises WeightsError when it is absent or another file."""
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{file} cannot be read: {error}") from error
    if not digest.startswith(expected.sha256_prefix):
        raise WeightsError(
            f"{file.name} is not {expected.name}: its sha256 is {digest[:16]}..., "
            f"expected {expected.sha256_prefix}..."
        )
    return digest


def install(name: str, source: Path) -> Path:
    """Copy a file the user already has into the weights folder, verified. Returns where it lies now."""
    wanted = weight(name)
    verify(source, wanted)
    with _incoming(wanted) as (stream, incoming):
        try:
            with source.open("rb") as original:
                shutil.copyfileobj(original, stream, _CHUNK)
        except OSError as error:
            raise WeightsError(f"{source} cannot be copied: {error}") from error
        stream.close()
        return _settle(incoming, wanted)


def pull(name: str, url: str | None = None, progress: Progress | None = None) -> Path:
    """Download from `url` (default: the publisher's), verify, and move into place in one step.

    Raises WeightsError when the server cannot be reached, answers with an error, sends less than it
    announced, or sends another file; the weights folder is then as it was.
    """
    wanted = weight(name)
    source = url or wanted.url
    with _incoming(wanted) as (stream, incoming):
        try:
            with httpx.stream("GET", source, follow_redirects=True, timeout=30.0) as response:
                response.raise_for_status()
                total = int(response.headers["content-length"]) if _is_plain(response) else None
                done = 0
                for chunk in response.iter_bytes(_CHUNK):
                    stream.write(chunk)
                    done += len(chunk)
                    if progress is not None:
                        progress(done, total)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise WeightsError(f"{wanted.name} cannot be fetched from {source}: {error}") from error
        stream.close()
        return _settle(incoming, wanted)


def _is_plain(response: httpx.Response) -> bool:
    """Whether content-length counts the bytes we will see (no transfer compression)."""
    has_length = response.headers.get("content-length", "").isdigit()
    return has_length and "content-encoding" not in response.headers


@contextmanager
def _incoming(wanted: Weight) -> Iterator[tuple[IO[bytes], Path]]:
    """A temporary file in the weights folder (same disk, so that the last move is atomic)."""
    folder = weights_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, or earlier by the caller
            dir=folder, prefix=f".{wanted.filename}.", suffix=".part", delete=False
        )
    except OSError as error:
        raise WeightsError(f"{folder} cannot be written: {error}") from error
    incoming = Path(stream.name)
    try:
        yield stream, incoming
    finally:
        stream.close()
        incoming.unlink(missing_ok=True)


def _settle(incoming: Path, wanted: Weight) -> Path:
    """Verify the finished temporary file and give it its name."""
    verify(incoming, wanted)
    final = weights_dir() / wanted.filename
    try:
        incoming.chmod(0o644)
        incoming.replace(final)
    except OSError as error:
        raise WeightsError(f"{final} cannot be written: {error}") from error
    return final
