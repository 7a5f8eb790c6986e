"""What a running engine sees of the house (`engines.base.Context`), backed by the store and the storage."""

from __future__ import annotations

import io
import math
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from doors import door
from doors.base import FileRefused, NotInspected, WrongMediaType
from engines.base import (
    BadInput,
    EngineError,
    EngineSpec,
    Interrupted,
    PartOutput,
    Transient,
    network_sha256,
)
from jobs.errors import LeaseLost, NotFound, Unavailable
from jobs.store import JobRow
from storage.base import StorageUnavailable
from workers import settings
from workers.asking import part_outputs
from workers.fetch import FetchFailed, FetchRefused, fetch
from workers.house import House
from workers.lease import Lease, Stop
from workers.ledger import OwnerLedger
from workers.networks import Kept
from workers.scratch import Scratch

_log = structlog.get_logger(__name__)

#: A file behind a URL may be as large as an upload, and take this long.
FETCH_BYTES = 64 * 2**20
FETCH_SECONDS = 60.0
#: How often a job that waits for an input looks whether it must stop.
STOP_LOOK_SECONDS = 0.2


class InputAway(Transient):
    """Somebody else's server did not give us an input: no fault of this machine's."""

    code = "input_unavailable"


class WrongInput(BadInput):
    """A good file came that its field does not take."""

    code = "wrong_media_type"


class NotLookedAt(Transient):
    """This machine had too much to do to look at an input, or too little memory."""


class NetworkGone(EngineError):
    """The network this job was accepted with cannot be had any more."""

    code = "network_gone"


class JobContext:
    """One attempt's context. Used from the engine's thread only."""

    def __init__(self, job: JobRow, lease: Lease, house: House) -> None:
        self._job = job
        self._lease = lease
        self._house = house
        #: Of the job's engine: what its file fields take. Until it is known, they take whatever is let in.
        self.spec: EngineSpec | None = None
        self._scratch: Scratch | None = None
        self._inputs: dict[str, Path] = {}
        self._kept: dict[str, Kept] = {}
        #: Held by whoever adds to those, or ends the adding: a fetch may be late.
        self._keeping = threading.Lock()
        self._closed = False
        self._preview_key: str | None = None
        self._preview_due = 0.0
        self._stored_more = False
        self._interrupted = False
        self._watcher: Callable[[], None] | None = None
        self._checkpoint_due = time.monotonic() + settings.CHECKPOINT_SECONDS

    @property
    def scratch(self) -> Path:
        """An empty folder of this attempt's own, made when first asked for."""
        if self._scratch is None:
            self._scratch = Scratch()
        return self._scratch.path

    @cached_property
    def parts(self) -> Mapping[str, tuple[PartOutput, ...]]:
        """What the parts that the job asked for have made. Raises Unavailable."""
        return part_outputs(self._house.store, self._job)

    def close(self) -> None:
        """Remove the scratch folder, and let go of networks."""
        with self._keeping:
            self._closed = True
            for kept in self._kept.values():
                kept.release()
            self._kept.clear()
        if self._scratch is not None:
            self._scratch.close()

    @property
    def stored_more(self) -> bool:
        """Whether this attempt stored a preview or a checkpoint beside its outputs."""
        return self._stored_more

    @property
    def interrupted(self) -> bool:
        """Whether the engine was told, by Interrupted, to stop."""
        return self._interrupted

    @contextmanager
    def watched(self, watcher: Callable[[], None]) -> Iterator[None]:
        """Call this at each report of progress meanwhile: by any job's a batch shows that it goes on."""
        self._watcher = watcher
        try:
            yield
        finally:
            self._watcher = None

    def key(self, name: str) -> str:
        """Where this attempt stores an object of that name."""
        return f"jobs/{self._job.id}/{self._job.attempt}/{name}"

    def input(self, ref: str) -> Path:
        """The local file behind a file field of the params.

        Raises BadInput, Transient, StorageUnavailable and Unavailable.
        """
        if ref not in self._inputs:
            path = self.scratch / f"input-{len(self._inputs)}"
            bring = self._download if ref.startswith("art_") else self._fetch
            self._interruptibly(lambda: bring(ref, path))
            self._inputs[ref] = path
        return self._inputs[ref]

    def network(self, ref: str) -> Path:
        """The local file of a pinned network of the params.

        Raises NetworkGone, Transient, StorageUnavailable and Unavailable.
        """
        sha256 = network_sha256(ref)
        if sha256 is None:
            raise NetworkGone(f"The network {ref[:64]!r} was not pinned when this job was accepted.")
        if sha256 not in self._kept:
            self._interruptibly(lambda: self._hold(sha256))
        return self._kept[sha256].path

    def _hold(self, sha256: str) -> None:
        try:
            file = self._house.networks.file_of_job(self._job.id, sha256)
            kept = self._house.cache.hold(sha256, file.key, file.size, self._house.storage)
        except (NotFound, FileNotFoundError) as error:
            raise NetworkGone(f"The network {sha256[:16]}... is no longer there.") from error
        with self._keeping:
            if self._closed:
                kept.release()  # the attempt has ended meanwhile
            else:
                self._kept[sha256] = kept

    def _interruptibly(self, call: Callable[[], None]) -> None:
        """Run `call` in a thread and wait for it or for the order to stop. Raises Interrupted.

        A server that drips must hold neither a cancel nor a shutdown. The thread that is left behind ends at
        its own time limit; the folder it writes to is gone by then, which is all that can happen to it.
        """
        coming: Future[None] = Future()

        def bring() -> None:
            try:
                call()
            except BaseException as error:  # noqa: BLE001  # not handled here: handed to the thread that waits
                coming.set_exception(error)
            else:
                coming.set_result(None)

        # A daemon, which a pool's threads are not: the process can end while a server still drips.
        threading.Thread(target=bring, name="input", daemon=True).start()
        while True:
            try:
                coming.result(timeout=STOP_LOOK_SECONDS)
                return
            except TimeoutError:
                if coming.done():
                    raise  # the call's own
            if self._lease.stop is not None:
                raise self._told(self._lease.stop)

    def _told(self, stop: Stop) -> Interrupted:
        self._interrupted = True
        return Interrupted(stop.value)

    def _download(self, file_id: str, path: Path) -> None:
        try:
            row = self._house.files.get(file_id, self._job.owner_id)
            with self._house.storage.open(row.key) as source, path.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
        except (NotFound, FileNotFoundError) as error:
            raise BadInput(f"The file {file_id} is no longer there.") from error

    def _fetch(self, url: str, path: Path) -> None:
        accept = self.spec.accepted(self._job.params, url) if self.spec is not None else None
        try:
            fetch(url, path, max_bytes=FETCH_BYTES, timeout=FETCH_SECONDS, accept=accept or ())
            door.inspect(path, accept)
        except WrongMediaType as error:
            raise WrongInput(f"The file behind the URL cannot be used: {error}") from error
        except (FetchRefused, FileRefused) as error:
            raise BadInput(f"The file behind the URL cannot be used: {error}") from error
        except FetchFailed as error:
            raise InputAway(f"The file behind the URL could not be fetched: {error}") from error
        except NotInspected as error:
            raise NotLookedAt(f"The file behind the URL could not be looked at: {error}") from error

    def progress(
        self,
        fraction: float,
        message: str = "",
        *,
        preview: Callable[[], bytes] | None = None,
        state: Callable[[], bytes] | None = None,
    ) -> None:
        """See `engines.base.Context.progress`."""
        if self._watcher is not None:
            self._watcher()
        stop = self._lease.stop
        if stop is not None:
            if stop is Stop.RELEASED and state is not None:
                self._save_checkpoint(state)
            raise self._told(stop)
        now = time.monotonic()
        if preview is not None and now >= self._preview_due:
            self._store_preview(preview)
            self._preview_due = time.monotonic() + settings.PREVIEW_SECONDS
        if state is not None and now >= self._checkpoint_due:
            began = time.monotonic()
            self._save_checkpoint(state)
            ended = time.monotonic()
            rest = max(settings.CHECKPOINT_SECONDS, (ended - began) * settings.CHECKPOINT_REST)
            self._checkpoint_due = ended + rest
        if math.isfinite(fraction):
            made = self._job.progress  # by its parts; this attempt makes what is left
            self._lease.report(made + (1 - made) * min(max(fraction, 0.0), 1.0), message, self._preview_key)

    def restore(self) -> bytes | None:
        """The newest checkpoint of an earlier attempt, if any. Raises StorageUnavailable."""
        if self._job.checkpoint_key is None:
            return None
        try:
            with self._house.storage.open(self._job.checkpoint_key) as stream:
                return stream.read()
        except FileNotFoundError:
            return None

    def ledger(self, provider: str, *, calls_per_day: int, tokens_per_day: int) -> OwnerLedger:
        """The owner's account with a provider."""
        return OwnerLedger(self._house.providers, self._job.owner_id, provider, calls_per_day, tokens_per_day)

    def _store_preview(self, preview: Callable[[], bytes]) -> None:
        key = self.key("preview.jpg")
        self._stored_more = True
        try:
            self._house.storage.put(key, io.BytesIO(preview()), media_type="image/jpeg")
            self._preview_key = key
        except StorageUnavailable as error:
            _log.warning("preview_not_stored", error=str(error))  # the job matters, not its preview

    def _save_checkpoint(self, state: Callable[[], bytes]) -> None:
        key = self.key("checkpoint")
        self._stored_more = True
        try:
            self._house.storage.put(key, io.BytesIO(state()))
            self._house.store.save_checkpoint(self._job.id, self._job.attempt, key)
        except (StorageUnavailable, Unavailable, SQLAlchemyError) as error:
            _log.warning("checkpoint_not_stored", error=str(error))  # a later attempt repeats more work
        except LeaseLost as error:
            raise Interrupted(Stop.LOST.value) from error
