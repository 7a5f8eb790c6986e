"""Networks that params name, found once."""

from __future__ import annotations

import io
from typing import Any

import pytest
from sqlalchemy import event

import engines
from accept import Means, Request, conversion
from jobs.errors import InvalidParams, NetworkNotReady
from jobs.networks import NewNetwork
from jobs.store import NewArtifact
from tests.jobs.conftest import owner

SHA256 = "c" * 64
CONFIG = {"resolution": 256, "channels": 3, "classes": 0, "z_dim": 32, "w_dim": 48}


def upload(means: Means, owner_id: str, name: str = "flowers", *, shared: bool = False) -> Any:
    """A network that is being converted."""
    file_id = means.files.reserve()
    kept = means.storage.put(f"files/{file_id}/n.pkl", io.BytesIO(b"pickle"), media_type="x/y")
    sent = NewArtifact("n.pkl", kept.key, "application/octet-stream", kept.size, "b" * 64)
    new = NewNetwork(owner_id, name, "stylegan", shared, file_id, sent)
    row, made = means.networks.add(new, conversion(means, owner_id, "stylegan", file_id))
    assert made
    return row


def convert(means: Means, sha256: str = SHA256) -> None:
    """Play the worker that converts the next upload."""
    (job,) = means.jobs.claim("wrk_1", "cpu", engines=["stylegan_import"], lease_seconds=60)
    made = NewArtifact(
        "n", f"jobs/{job.id}/1/n", "application/octet-stream", 7, sha256, meta={"config": CONFIG}
    )
    means.jobs.succeed(job.id, job.attempt, [made])


def draw(owner_id: str, **params: Any) -> Request:
    return Request(owner_id, "stylegan", {"seeds": "1", **params})


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_network_is_pinned_to_its_bytes_and_the_job_placed_by_it(means, ada, by):
    row = upload(means, ada)
    convert(means)
    new = draw(ada, network={"name": "flowers", "id": row.id}[by]).prepare(means).new_job()
    assert new.params["network"] == f"{row.id}@{SHA256}"
    assert list(new.networks) == [SHA256]
    assert new.model == f"stylegan:{SHA256}"
    spec = engines.spec("stylegan")
    assert new.cost == pytest.approx(spec.cost(spec.params(seeds="1")) * 16)


def test_it_is_asked_for_in_one_statement(lite, eve):
    upload(lite, eve)
    convert(lite)
    asked = []
    engine = lite.jobs.database.engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    draw(eve, network="flowers").prepare(lite)
    assert len([statement for statement in asked if "FROM networks" in statement]) == 1


def test_a_shipped_one_needs_none(lite, eve):
    new = draw(eve).prepare(lite).new_job()
    assert new.networks == []
    assert new.model == f"stylegan:{new.params['network']}"


def test_one_that_is_not_ready_or_not_theirs_is_none(means, ada):
    row = upload(means, ada)
    with pytest.raises(NetworkNotReady):
        draw(ada, network="flowers").prepare(means)
    convert(means)
    bob = owner(means.jobs.database, "bob")
    for name in ("flowers", row.id, f"{row.id}@{SHA256}"):
        with pytest.raises(InvalidParams) as refused:
            draw(bob, network=name).prepare(means)
        assert refused.value.extra["errors"][0]["code"] == "network_not_found"
    with pytest.raises(InvalidParams):
        draw(ada, network=f"{row.id}@{'d' * 64}").prepare(means)
