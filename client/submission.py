"""A submission with files of this machine in it: what is sent first, and what goes along."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from client.calls import files as file_calls
from client.calls import jobs as job_calls
from client.calls.base import Call, new_key
from client.errors import Json
from client.uploads import File, is_local

#: Files of more bytes in all are uploaded one by one before: what has arrived is not sent again.
LARGE = 8 * 1024 * 1024


class Submission:
    """Send each of `uploads` and tell `stored` its answer; then send `call`. Both raise OSError."""

    def __init__(
        self, engine: str, params: Mapping[str, Any], files: job_calls.Files, options: Json, key: str | None
    ) -> None:
        self._engine = engine
        self._params = {name: _wrapped(value) for name, value in params.items()}
        self._files = list(files)
        self._options = options
        self._key = key or new_key()
        self._ids: dict[int, str] = {}

    def uploads(self) -> Iterator[tuple[File, Call[Json]]]:
        """The files that go before it. Their keys follow from the job's: the same again is the same file."""
        local = [file for value in self._params.values() for file in _local(value)]
        if sum(file.size for file in local) <= LARGE and not any(map(_is_mixed, self._params.values())):
            return
        for number, file in enumerate(local):
            if id(file) not in self._ids:
                key = hashlib.sha256(f"{self._key}/{number}".encode()).hexdigest()
                yield file, file_calls.upload(file, key)

    def stored(self, file: File, answer: Json) -> None:
        """What the API said of an upload."""
        self._ids[id(file)] = answer["id"]

    def call(self) -> Call[Json]:
        """The submission itself."""
        return job_calls.submit(self._engine, *self._apart(), self._options, self._key)

    def dry_run(self) -> Call[Json]:
        """The question what would become of it; its files go along, whatever their size."""
        return job_calls.dry_run(self._engine, *self._apart(), self._options)

    def _apart(self) -> tuple[Json, job_calls.Files]:
        params: Json = {}
        files = list(self._files)
        for name, value in self._params.items():
            several = isinstance(value, list)
            known = [self._ids.get(id(one), one) for one in (value if several else [value])]
            files += [(name, one) for one in known if isinstance(one, File)]
            kept = [one for one in known if not isinstance(one, File)]
            if kept or not known:
                params[name] = kept if several else kept[0]
        return params, files


def _wrapped(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_wrapped(one) for one in value]
    return File.of(value) if is_local(value) else value


def _local(value: Any) -> list[File]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, File)]


def _is_mixed(value: Any) -> bool:
    """Whether a reference follows a file: in a form, the files are the last of a list."""
    found = [isinstance(one, File) for one in value] if isinstance(value, list) else []
    return found != sorted(found)
