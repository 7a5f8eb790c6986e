"""FileStore: the rows of stored files, and the clean-up of objects that no row names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from jobs.clock import now
from jobs.database import Database
from jobs.errors import IdempotencyConflict, InUse, NotFound
from jobs.ids import new_id
from jobs.models import Artifact, Cleanup, Job, JobInput, Network, NetworkFile, ScheduleInput, UploadKey
from jobs.rows import ArtifactRow, FolderRow
from jobs.sql import fetch_all, fetch_one, fetch_the_one, insert_or, newest_first
from jobs.store import NewArtifact, in_use
from jobs.store.retention import cutoff

#: An upload that takes longer than this is looked at by the clean-up while it still runs; it is far above
#: what any server lets a request take.
UPLOAD_GRACE_SECONDS = 6 * 3600.0

_ARTIFACTS = Artifact.__table__
#: Every artifact's key lies in its job's folder, or, of an upload, in its own: so it is found by that id.
_FOLDER = re.compile(r"(?:jobs|files)/([^/]+)/")

_CUTOFF = cutoff(bindparam("keep", type_=Float))
#: Read by nobody who goes on, schedules among them, nor by who ended later than that; and that old itself.
_LONG_UNREAD: ColumnElement[bool] = and_(
    Artifact.job_id.is_(None),
    Artifact.created_at < _CUTOFF,
    ~exists().where(
        JobInput.artifact_id == Artifact.id,
        Job.id == JobInput.job_id,
        or_(Job.finished_at.is_(None), Job.finished_at >= _CUTOFF),
    ),
    ~exists().where(ScheduleInput.artifact_id == Artifact.id),
)


class FileStore:
    """Uploaded files and produced ones, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def reserve(self) -> str:
        """A new file id whose objects are removed later unless `add` follows: call it before storing bytes.

        The bytes belong under `files/<id>/`.
        """
        file_id = new_id("art")
        self.database.write(
            lambda c: c.execute(
                insert(Cleanup).values(prefix=f"files/{file_id}", due_at=now(UPLOAD_GRACE_SECONDS))
            )
        )
        return file_id

    def add(self, file_id: str, owner_id: str, artifact: NewArtifact) -> ArtifactRow:
        """Record an upload whose bytes are stored; recording it twice is recording it once."""
        return self.database.write(lambda c: add_upload(c, file_id, owner_id, artifact))

    def add_once(
        self, file_id: str, owner_id: str, artifact: NewArtifact, key: str
    ) -> tuple[ArtifactRow, bool]:
        """`add`, under an Idempotency-Key: `(the row, True)`, or `(the row the key made before, False)`.

        In the latter case nobody has use for the stored bytes. Raises IdempotencyConflict when the key came
        with other bytes before.
        """
        return self.database.write(lambda c: _add_once(c, file_id, owner_id, artifact, key))

    def by_key(self, owner_id: str, key: str, sha256: str) -> ArtifactRow | None:
        """The upload this owner's key made, if any. Raises IdempotencyConflict when it was another one."""
        return self.database.read(lambda c: _by_key(c, owner_id, key, sha256))

    def give_up(self, file_id: str) -> None:
        """The upload of this reserved id came to nothing: have its folder looked through now."""
        hurrying = update(Cleanup).where(Cleanup.prefix == f"files/{file_id}").values(due_at=now())
        self.database.write(lambda c: c.execute(hurrying))

    def get(self, file_id: str, owner_id: str | None = None) -> ArtifactRow:
        """One file; with `owner_id`, only if it is that owner's. Raises NotFound."""
        query = select(_ARTIFACTS).where(Artifact.id == file_id)
        if owner_id is not None:
            query = query.where(Artifact.owner_id == owner_id)
        found = self.database.read(lambda c: fetch_one(c, ArtifactRow, query))
        if found is None:
            raise NotFound("There is no such file.")
        return found

    def get_many(self, file_ids: Sequence[str], owner_id: str) -> dict[str, ArtifactRow]:
        """Those of these files that are this owner's, by id."""
        query = select(_ARTIFACTS).where(Artifact.id.in_(file_ids), Artifact.owner_id == owner_id)
        return self.database.read(lambda c: {file.id: file for file in fetch_all(c, ArtifactRow, query)})

    def stored_bytes(self, owner_id: str) -> int:
        """The bytes of all that an owner has here: uploads, results and networks.

        A network's file counts for each who has it, though it may be stored once for them all.
        """
        files = select(func.sum(Artifact.size)).where(Artifact.owner_id == owner_id)
        networks = (
            select(func.sum(NetworkFile.size))
            .join(Network, Network.sha256 == NetworkFile.sha256)
            .where(Network.owner_id == owner_id)
        )
        return self.database.read(
            lambda c: sum(int(c.execute(query).scalar_one() or 0) for query in (files, networks))
        )

    def page(self, owner_id: str, *, before: str | None = None, limit: int = 50) -> list[ArtifactRow]:
        """Newest first; `before` is the id of the last file of the page before."""
        mine = select(_ARTIFACTS).where(Artifact.owner_id == owner_id)
        query = newest_first(mine, Artifact.id, before=before, limit=limit)
        return self.database.read(lambda c: fetch_all(c, ArtifactRow, query))

    def delete(self, file_id: str, owner_id: str | None) -> None:
        """Delete a file's row and (by the sweeper) its object.

        Raises NotFound, and InUse while a schedule or a waiting or running job reads it.
        """

        def work(connection: Connection) -> None:
            # FOR UPDATE first, then the check in a new statement: a job that is just being submitted with
            # this file holds a key-share lock on the row, and is seen once we have ours.
            query = select(Artifact.job_id, Artifact.key).where(Artifact.id == file_id).with_for_update()
            if owner_id is not None:
                query = query.where(Artifact.owner_id == owner_id)
            found = connection.execute(query).one_or_none()
            if found is None:
                raise NotFound("There is no such file.")
            _, key = found
            if in_use(connection, [file_id]):
                raise InUse
            connection.execute(delete(Artifact).where(Artifact.id == file_id))
            folder = key.rpartition("/")[0]
            connection.execute(insert(Cleanup).values(prefix=folder, due_at=now()))

        self.database.write(work, repeatable=False)

    # --- for the sweeper: what was kept long enough ------------------------------------------------

    def expire(
        self, owner_id: str, keep_seconds: float, *, after: str = "", limit: int = 500
    ) -> tuple[int, str | None]:
        """Look at an owner's next files `after` an id: remove the uploads that nobody read for that long.

        Returns how many went, and the last file's id while there are old ones beyond it. The walk is by id,
        which is by age, and bounded: an old file that is still read costs a look and holds up nothing.
        """
        looking = (
            select(Artifact.id, (Artifact.created_at < _CUTOFF).label("old"), _LONG_UNREAD.label("due"))
            .where(Artifact.owner_id == owner_id, Artifact.id > after)
            .order_by(Artifact.id)
            .limit(limit)
        )
        rows = self.database.read(lambda c: list(c.execute(looking, {"keep": keep_seconds})))
        due = [row.id for row in rows if row.due]
        gone = self.database.write(lambda c: _remove_unread(c, due, keep_seconds)) if due else 0
        more = len(rows) == limit and rows[-1].old
        return gone, rows[-1].id if more else None

    # --- the clean-up, for the sweeper -----------------------------------------------------------

    def due_cleanups(self, limit: int = 100) -> list[FolderRow]:
        """The folders to look through now."""
        query = (
            select(Cleanup.id, Cleanup.prefix)
            .where(Cleanup.due_at <= now())
            .order_by(Cleanup.due_at)
            .limit(limit)
        )
        return self.database.read(lambda c: fetch_all(c, FolderRow, query))

    def unreferenced(self, keys: Sequence[str]) -> list[str]:
        """Those of these keys that neither an artifact names nor a network."""
        ids = set(_folders(keys).values())
        artifacts = select(Artifact.key).where(or_(Artifact.job_id.in_(ids), Artifact.id.in_(ids)))
        networks = select(NetworkFile.key).where(NetworkFile.key.in_(keys))
        kept = self.database.read(lambda c: set(c.execute(artifacts.union_all(networks)).scalars()))
        return [key for key in keys if key not in kept]

    def postpone(self, cleanup_id: int, seconds: float) -> None:
        """This folder could not be looked through; try again later, after the others."""
        self.database.write(
            lambda c: c.execute(update(Cleanup).where(Cleanup.id == cleanup_id).values(due_at=now(seconds)))
        )

    def cleaned(self, cleanup_id: int) -> None:
        """This folder was looked through."""
        self.database.write(lambda c: c.execute(delete(Cleanup).where(Cleanup.id == cleanup_id)))

    # --- for the audit -----------------------------------------------------------------------------

    def orphans(self, keys: Sequence[str]) -> list[str]:
        """Those of these keys that no row names and that belong to no job or upload which goes on.

        Such a job's outputs have no rows yet, and its checkpoints never have any; nor has an upload that is
        still reserved.
        """
        folders = _folders(keys)
        ids = set(folders.values())
        jobs = select(Job.id).where(Job.id.in_(ids), Job.finished_at.is_(None))
        reserved = select(Cleanup.prefix).where(
            Cleanup.prefix.in_([f"files/{one}" for one in ids]), Cleanup.due_at > now()
        )
        # Asked before the rows: what ends between the two questions has its rows by the second.
        going_on = self.database.read(
            lambda c: {
                *c.execute(jobs).scalars(),
                *(p[len("files/") :] for p in c.execute(reserved).scalars()),
            }
        )
        return self.unreferenced([key for key in keys if folders.get(key) not in going_on])

    def walk(self, *, after: str = "", limit: int = 500) -> list[ArtifactRow]:
        """Everybody's files, oldest first; `after` is the id of the last file of the page before."""
        query = select(_ARTIFACTS).where(Artifact.id > after).order_by(Artifact.id).limit(limit)
        return self.database.read(lambda c: fetch_all(c, ArtifactRow, query))


def add_upload(connection: Connection, file_id: str, owner_id: str, artifact: NewArtifact) -> ArtifactRow:
    """`FileStore.add` within a transaction."""
    if not artifact.key.startswith(f"files/{file_id}/"):
        raise ValueError(f"the bytes of {file_id} belong into its own folder, not to {artifact.key}")
    connection.execute(
        insert_or(connection, Artifact)
        .values(
            id=file_id,
            owner_id=owner_id,
            name=artifact.name,
            key=artifact.key,
            media_type=artifact.media_type,
            size=artifact.size,
            sha256=artifact.sha256,
            width=artifact.width,
            height=artifact.height,
            seconds=artifact.seconds,
            meta=dict(artifact.meta),
        )
        .on_conflict_do_nothing()
    )
    return fetch_the_one(connection, ArtifactRow, select(_ARTIFACTS).where(Artifact.id == file_id))


def _add_once(
    connection: Connection, file_id: str, owner_id: str, artifact: NewArtifact, key: str
) -> tuple[ArtifactRow, bool]:
    added = add_upload(connection, file_id, owner_id, artifact)
    values = {"owner_id": owner_id, "key": key, "file_id": file_id}
    connection.execute(insert_or(connection, UploadKey).values(**values).on_conflict_do_nothing())
    earlier = _by_key(connection, owner_id, key, artifact.sha256)
    if earlier is None or earlier.id == file_id:
        return added, True
    connection.execute(delete(Artifact).where(Artifact.id == file_id))
    return earlier, False


def _by_key(connection: Connection, owner_id: str, key: str, sha256: str) -> ArtifactRow | None:
    mine = select(_ARTIFACTS).join(UploadKey, UploadKey.file_id == Artifact.id)
    mine = mine.where(UploadKey.owner_id == owner_id, UploadKey.key == key)
    file = fetch_one(connection, ArtifactRow, mine)
    if file is not None and file.sha256 != sha256:
        raise IdempotencyConflict(file_id=file.id)
    return file


def _folders(keys: Sequence[str]) -> dict[str, str]:
    """The job or upload each of these keys belongs to."""
    return {key: match[1] for key in keys if (match := _FOLDER.match(key))}


def _remove_unread(connection: Connection, file_ids: Sequence[str], keep_seconds: float) -> int:
    """Remove those of these uploads that are still unread, and that nobody else has locked."""
    locking = select(Artifact.id).where(Artifact.id.in_(file_ids)).with_for_update(skip_locked=True)
    locked = list(connection.execute(locking).scalars())
    # Once more, in a new statement: a job that was accepted before we had the locks is seen now.
    asking = select(Artifact.id, Artifact.key).where(Artifact.id.in_(locked), _LONG_UNREAD)
    going = list(connection.execute(asking, {"keep": keep_seconds}))
    if going:
        connection.execute(delete(Artifact).where(Artifact.id.in_([row.id for row in going])))
        folders = [{"prefix": row.key.rpartition("/")[0]} for row in going]
        connection.execute(insert(Cleanup).values(due_at=now()), folders)
    return len(going)
