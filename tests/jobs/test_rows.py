"""The typed rows say of every column what the models say."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import get_args, get_type_hints

import pytest
from sqlalchemy import select

import jobs.rows
from accounts.keys import WITH_OWNER
from jobs import models
from jobs.networks import _ALL
from jobs.store.asking import _PARTS_OF, _STAGES
from jobs.store.follower import _EVENTS, _FACTS, _VERSIONS
from jobs.store.line.admitting import _STANDING
from jobs.store.line.claiming import CLAIM
from jobs.store.statements import END
from schedules.store import DUE

#: A model, and the row with exactly its columns.
WHOLE = {
    models.ApiKey: jobs.rows.KeyRow,
    models.Artifact: jobs.rows.ArtifactRow,
    models.Delivery: jobs.rows.DeliveryRow,
    models.DeliveryAttempt: jobs.rows.TryRow,
    models.Job: jobs.rows.JobRow,
    models.JobEvent: jobs.rows.EventRow,
    models.Network: jobs.rows.NetworkRow,
    models.NetworkFile: jobs.rows.NetworkFileRow,
    models.PastUsage: jobs.rows.UsageRow,
    models.Schedule: jobs.rows.ScheduleRow,
    models.User: jobs.rows.UserRow,
    models.Webhook: jobs.rows.WebhookRow,
    models.Worker: jobs.rows.WorkerRow,
}
#: A row, and the model that it has some of the columns of.
PART = {
    jobs.rows.FactsRow: models.Job,
    jobs.rows.FolderRow: models.Cleanup,
    jobs.rows.OrdersRow: models.Worker,
    jobs.rows.StoredRow: models.Artifact,
    jobs.rows.VersionRow: models.Job,
}
#: Rows of statements, and these.
SELECTED = {
    jobs.rows.ClaimedRow: CLAIM.columns,
    jobs.rows.DueScheduleRow: DUE.selected_columns,
    jobs.rows.EndedRow: END.exported_columns,
    jobs.rows.EventRow: _EVENTS.selected_columns,
    jobs.rows.FactsRow: _FACTS.selected_columns,
    jobs.rows.MetRow: _STANDING.selected_columns,
    jobs.rows.NamedKeyRow: WITH_OWNER.selected_columns,
    jobs.rows.PartRow: _PARTS_OF.selected_columns,
    jobs.rows.SizedNetworkRow: _ALL.selected_columns,
    jobs.rows.StageRow: _STAGES.selected_columns,
    jobs.rows.VersionRow: _VERSIONS.selected_columns,
}


def name(found: object) -> str:
    return getattr(found, "__name__", "")


def columns(model: type[models.Base]) -> dict[str, object]:
    """Name -> type, as the model declares them: `str | None` of `Mapped[str | None]`."""
    hints = get_type_hints(model)
    return {column.name: get_args(hints[column.name])[0] for column in model.__table__.columns}


@pytest.mark.parametrize(("model", "row"), WHOLE.items(), ids=map(name, WHOLE))
def test_a_row_has_the_columns_of_its_model(model: type[models.Base], row: type) -> None:
    assert get_type_hints(row) == columns(model)


@pytest.mark.parametrize(("model", "row"), WHOLE.items(), ids=map(name, WHOLE))
def test_what_may_be_null_says_so(model: type[models.Base], row: type) -> None:
    optional = {column for column, kind in get_type_hints(row).items() if NoneType in get_args(kind)}
    assert optional == {column.name for column in model.__table__.columns if column.nullable}


@pytest.mark.parametrize(("row", "model"), PART.items(), ids=map(name, PART))
def test_a_part_of_a_row_is_as_the_whole(row: type, model: type[models.Base]) -> None:
    assert get_type_hints(row).items() <= columns(model).items()


@pytest.mark.parametrize(("row", "selected"), SELECTED.items(), ids=map(name, SELECTED))
def test_a_statement_gives_what_its_row_promises(row: type, selected: object) -> None:
    assert {column.key for column in selected} == set(get_type_hints(row))


def test_every_row_is_held_by_one_of_these() -> None:
    known = {*WHOLE.values(), *PART, *SELECTED, jobs.rows.SeenWorkerRow, jobs.rows.TakenDeliveryRow}
    assert {getattr(jobs.rows, one) for one in jobs.rows.__all__} == known


def test_a_row_has_no_other_attribute(store, submit: Callable[..., jobs.rows.JobRow]) -> None:
    job = submit()
    with store.database.engine.connect() as connection:
        row = connection.execute(select(models.Job.__table__)).one()
    assert {one: getattr(row, one) for one in get_type_hints(jobs.rows.JobRow)} == row._mapping
    with pytest.raises(AttributeError):
        _ = job.stat
