"""What the end of a conversion job means to the network that it was to make.

Part of the transaction that ends the job, so that no network is left converting by a job that is no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from jobs.clock import now
from jobs.models import Artifact, Cleanup, JobInput, Network, NetworkFile
from jobs.rows import JobRow
from jobs.sql import insert_or
from jobs.states import NetworkState, State
from jobs.store.values import NewArtifact


def converted(connection: Connection, job: JobRow, made: Sequence[NewArtifact]) -> None:
    """A conversion job succeeded: its one result is the network's file, or one that is there already."""
    if len(made) != 1:
        _failed(connection, job, "no_network", "The conversion did not make one network.")
        return
    (file,) = made
    adding = insert_or(connection, NetworkFile).values(sha256=file.sha256, key=file.key, size=file.size)
    # Somebody's older one stays as it is; writing it locks it, so that it is not freed before we refer to it.
    kept = adding.on_conflict_do_update(index_elements=["sha256"], set_={"size": file.size})
    key = connection.execute(kept.returning(NetworkFile.key)).scalar_one()
    values = {"state": NetworkState.READY.value, "sha256": file.sha256, "config": file.meta.get("config")}
    connection.execute(update(Network).where(*_its(job)).values(error_code=None, error_detail=None, **values))
    _forget_upload(connection, job)
    if key != file.key:
        connection.execute(insert(Cleanup).values(prefix=f"jobs/{job.id}", due_at=now()))


def not_converted(connection: Connection, job: JobRow) -> None:
    """A conversion job failed, or was canceled, or is being deleted before it ran."""
    if job.state == State.FAILED:
        _failed(connection, job, job.error_code, job.error_detail)
    else:
        _failed(connection, job, "canceled", "Its conversion was canceled.")


def _failed(connection: Connection, job: JobRow, code: str | None, detail: str | None) -> None:
    failing = update(Network).where(*_its(job))
    connection.execute(failing.values(state=NetworkState.FAILED.value, error_code=code, error_detail=detail))
    _forget_upload(connection, job)


def _its(job: JobRow) -> tuple[ColumnElement[bool], ...]:
    # Not if it was sent again meanwhile: then a later job converts it.
    return Network.id == job.converts, Network.job_id == job.id


def _forget_upload(connection: Connection, job: JobRow) -> None:
    """What was sent is not needed any more."""
    reads = select(JobInput.artifact_id).where(JobInput.job_id == job.id)
    going = delete(Artifact).where(Artifact.id.in_(reads), Artifact.job_id.is_(None))
    gone = list(connection.execute(going.returning(Artifact.id)).scalars())
    if gone:
        connection.execute(
            insert(Cleanup).values(due_at=now()), [{"prefix": f"files/{file_id}"} for file_id in gone]
        )
