"""NetworkStore: the networks users upload, the files these were converted to, and which a job may name.

The conversion itself is a job; what its end means to the network is in `jobs.store.conversions`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.exc import IntegrityError

from jobs.clock import now
from jobs.database import Database
from jobs.documents import JSONObject
from jobs.errors import Conflict, Forbidden, NameTaken, NotFound
from jobs.files import add_upload
from jobs.ids import new_id
from jobs.models import Cleanup, Job, JobNetwork, Network, NetworkFile
from jobs.policy import max_networks
from jobs.rows import NetworkFileRow, NetworkRow, SizedNetworkRow, StoredRow
from jobs.sql import Values, fetch_all, fetch_one, insert_or, newest_first
from jobs.states import NetworkState
from jobs.store import NewArtifact, NewJob, accept, cancel

_NETWORKS = Network.__table__
_FILES = NetworkFile.__table__
_ALL = select(_NETWORKS, NetworkFile.size.label("size")).outerjoin(
    NetworkFile, NetworkFile.sha256 == Network.sha256
)
#: Named by no network, and read by no job that goes on.
_UNUSED: ColumnElement[bool] = and_(
    ~exists().where(Network.sha256 == NetworkFile.sha256),
    ~exists().where(
        JobNetwork.sha256 == NetworkFile.sha256, Job.id == JobNetwork.job_id, Job.finished_at.is_(None)
    ),
)


class TooManyNetworks(Conflict):
    """You have as many networks as one owner may have; delete one first."""

    code = "too_many_networks"


@dataclass(frozen=True)
class NewNetwork:
    """An upload that passed the door, whose bytes are stored."""

    owner_id: str
    name: str
    kind: str
    shared: bool
    #: The reserved id (`FileStore.reserve`) under which its bytes lie until they are converted.
    file_id: str
    upload: NewArtifact
    id: str = field(default_factory=lambda: new_id("net"))


class NetworkStore:
    """Networks and their files, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def add(self, new: NewNetwork, job: NewJob) -> tuple[SizedNetworkRow, bool]:
        """Accept an upload with the job that converts it: `(row, True)`.

        `(the row there is, False)` when the owner has sent the same under this name before and it did not
        fail. One that failed gives way. Raises NameTaken and TooManyNetworks.
        """
        try:
            return self.database.write(lambda c: _add(c, new, job))
        except IntegrityError as error:  # one that gives way, and is to be shared now
            raise _shared(new.name) from error

    def check_room(self, owner_id: str, name: str) -> None:
        """Raises TooManyNetworks where an owner may not have one more, nor has one of this name."""
        query = select(Network.name).where(Network.owner_id == owner_id)
        names = self.database.read(lambda c: list(c.execute(query).scalars()))
        most = max_networks()
        if 0 < most <= len(names) and name not in names:
            raise TooManyNetworks

    def get(self, network_id: str, viewer_id: str | None = None) -> SizedNetworkRow:
        """One network; with `viewer_id`, only if they may see it. Raises NotFound."""
        return self.database.read(lambda c: _get(c, network_id, viewer_id))

    def page(
        self,
        viewer_id: str,
        *,
        kind: str | None = None,
        state: NetworkState | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> list[SizedNetworkRow]:
        """An owner's networks and the shared ones, newest first; `before`: the last id of the page before."""
        query = newest_first(_ALL.where(_visible(viewer_id)), Network.id, before=before, limit=limit)
        if kind is not None:
            query = query.where(Network.kind == kind)
        if state is not None:
            query = query.where(Network.state == state.value)
        return self.database.read(lambda c: fetch_all(c, SizedNetworkRow, query))

    def delete(self, network_id: str, owner_id: str | None) -> bool:
        """Take a network away, and cancel its conversion; whether there was one.

        Its name is free at once. Jobs that were accepted with it keep its file until they have ended.
        Raises NotFound, and Forbidden for a shared one of somebody else.
        """

        def work(connection: Connection) -> bool:
            seen = _get(connection, network_id, owner_id)
            if owner_id not in (None, seen.owner_id):
                raise Forbidden("This network is shared with you; only its owner can delete it.")
            converting = bool(seen.state == NetworkState.CONVERTING)
            if converting:
                # Before the network, as whoever ends a job does: two that delete wait for each other's end.
                with suppress(NotFound):
                    cancel(connection, seen.job_id, None)
            connection.execute(delete(Network).where(Network.id == network_id))
            return converting

        return self.database.write(work, repeatable=False)

    def resolve(self, viewer_id: str, kind: str, refs: Collection[str]) -> dict[str, SizedNetworkRow]:
        """The network that each of these names or ids means to somebody; what means none is left out.

        Of two with one name their own counts, and not the shared one.
        """
        named = or_(Network.id.in_(refs), Network.name.in_(refs))
        # The owner's own last, so that they replace shared ones.
        query = _ALL.where(named, Network.kind == kind, _visible(viewer_id))
        query = query.order_by(Network.owner_id == viewer_id, Network.id)
        found: dict[str, SizedNetworkRow] = {}
        for network in self.database.read(lambda c: fetch_all(c, SizedNetworkRow, query)):
            found |= {ref: network for ref in (network.id, network.name) if ref in refs}
        return found

    def configs(self, hashes: Collection[str]) -> list[JSONObject]:
        """What was found of the networks with these contents."""
        query = (
            select(Network.config).where(Network.sha256.in_(hashes), Network.config.is_not(None)).distinct()
        )
        return self.database.read(lambda c: [config for (config,) in c.execute(query) if config is not None])

    def file_of_job(self, job_id: str, sha256: str) -> NetworkFileRow:
        """Where a network file lies that this job was accepted with. Raises NotFound."""
        query = (
            select(_FILES)
            .join(JobNetwork, JobNetwork.sha256 == NetworkFile.sha256)
            .where(JobNetwork.job_id == job_id, NetworkFile.sha256 == sha256)
        )
        file = self.database.read(lambda c: fetch_one(c, NetworkFileRow, query))
        if file is None:
            raise NotFound("This network is no longer there.")
        return file

    # --- for the sweeper and the audit -------------------------------------------------------------

    def free(self, *, limit: int = 100) -> list[str]:
        """Forget files that nobody refers to any more; the clean-up deletes their objects. Their hashes."""
        finding = select(NetworkFile.sha256).where(_UNUSED).limit(limit)
        found = self.database.read(lambda c: list(c.execute(finding).scalars()))
        return self.database.write(lambda c: _free(c, found)) if found else []

    def walk(self, *, after: str = "", limit: int = 500) -> list[StoredRow]:
        """All files, by their hashes; `after` is the last id of the page before."""
        query = select(NetworkFile.sha256.label("id"), NetworkFile.key).where(NetworkFile.sha256 > after)
        query = query.order_by(NetworkFile.sha256).limit(limit)
        return self.database.read(lambda c: fetch_all(c, StoredRow, query))


def _visible(viewer_id: str | None) -> ColumnElement[bool]:
    return true() if viewer_id is None else or_(Network.owner_id == viewer_id, Network.shared)


def _get(connection: Connection, network_id: str, viewer_id: str | None) -> SizedNetworkRow:
    query = _ALL.where(Network.id == network_id, _visible(viewer_id))
    network = fetch_one(connection, SizedNetworkRow, query)
    if network is None:
        raise NotFound("There is no such network.")
    return network


def _add(connection: Connection, new: NewNetwork, job: NewJob) -> tuple[SizedNetworkRow, bool]:
    values: Values = {
        "kind": new.kind,
        "shared": new.shared,
        "state": NetworkState.CONVERTING.value,
        "upload_sha256": new.upload.sha256,
        "upload_size": new.upload.size,
        "job_id": job.id,
    }
    adding = insert_or(connection, Network).values(id=new.id, owner_id=new.owner_id, name=new.name, **values)
    network_id = new.id
    theirs = select(func.count()).select_from(Network).where(Network.owner_id == new.owner_id)
    if connection.execute(adding.on_conflict_do_nothing().returning(Network.id)).first() is None:
        before = _in_the_way(connection, new)
        if before.job_id == job.id:
            return _get(connection, before.id, None), True  # our own commit, whose answer was lost
        if before.state != NetworkState.FAILED:
            return _get(connection, before.id, None), False
        network_id = before.id
        again = update(Network).where(Network.id == network_id)
        connection.execute(
            again.values(sha256=None, config=None, error_code=None, error_detail=None, **values)
        )
    elif 0 < max_networks() < connection.execute(theirs).scalar_one():
        raise TooManyNetworks
    add_upload(connection, new.file_id, new.owner_id, new.upload)
    accept(connection, replace(job, converts=network_id, inputs=[new.file_id]))
    return _get(connection, network_id, None), True


def _shared(name: str) -> NameTaken:
    return NameTaken(f"Somebody shares a network named {name}; share yours under another name.")


def _in_the_way(connection: Connection, new: NewNetwork) -> NetworkRow:
    """The owner's network of this name, if it failed or is this very upload. Raises NameTaken."""
    own = select(_NETWORKS).where(Network.owner_id == new.owner_id, Network.name == new.name)
    before = fetch_one(connection, NetworkRow, own.with_for_update())
    if before is None:
        raise _shared(new.name)
    same = (before.upload_sha256, before.kind, before.shared) == (new.upload.sha256, new.kind, new.shared)
    if not same and before.state != NetworkState.FAILED:
        raise NameTaken(
            f"You have another network named {new.name}; delete it first, or choose another name.",
            network_id=before.id,
        )
    return before


def _free(connection: Connection, hashes: Sequence[str]) -> list[str]:
    """Forget those of these files that are still unused, and that nobody else has locked."""
    locking = select(NetworkFile.sha256).where(NetworkFile.sha256.in_(hashes))
    locked = list(connection.execute(locking.with_for_update(skip_locked=True)).scalars())
    # Once more, in a new statement: who referred to one before we had the locks is seen now.
    asking = select(NetworkFile.sha256, NetworkFile.key).where(NetworkFile.sha256.in_(locked), _UNUSED)
    going = list(connection.execute(asking))
    if going:
        connection.execute(delete(NetworkFile).where(NetworkFile.sha256.in_([row.sha256 for row in going])))
        folders = [{"prefix": "/".join(row.key.split("/")[:2])} for row in going]
        connection.execute(insert(Cleanup).values(due_at=now()), folders)
    return [row.sha256 for row in going]
