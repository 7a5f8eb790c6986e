"""How weight files get where `engines.weights` looks: copied or downloaded, verified, moved in one step.

Nothing is fetched unless asked for. Apart from the registry, so that the API imports no HTTP client.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

from engines.weights import Weight, WeightsError, verify, weight, weights_dir

_CHUNK = 1 << 20

#: Called with (bytes so far, total bytes or None).
Progress = Callable[[int, int | None], None]


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
