"""Rows as SQL returns them, typed: what may be asked of one, and which columns may be NULL.

A row is no instance of these. It has these attributes, and every other one is a mistake that the type checker
sees. What a column means is said in `jobs.models`; a column that is added there is added here.
"""

from jobs.rows.account import KeyRow, NamedKeyRow, UserRow
from jobs.rows.file import ArtifactRow, FolderRow, StoredRow
from jobs.rows.fleet import OrdersRow, SeenWorkerRow, WorkerRow
from jobs.rows.job import (
    ClaimedRow,
    EndedRow,
    EventRow,
    FactsRow,
    JobRow,
    MetRow,
    PartRow,
    StageRow,
    UsageRow,
    VersionRow,
)
from jobs.rows.network import NetworkFileRow, NetworkRow, SizedNetworkRow
from jobs.rows.schedule import DueScheduleRow, ScheduleRow
from jobs.rows.webhook import DeliveryRow, TakenDeliveryRow, TryRow, WebhookRow

__all__ = [
    "ArtifactRow",
    "ClaimedRow",
    "DeliveryRow",
    "DueScheduleRow",
    "EndedRow",
    "EventRow",
    "FactsRow",
    "FolderRow",
    "JobRow",
    "KeyRow",
    "MetRow",
    "NamedKeyRow",
    "NetworkFileRow",
    "NetworkRow",
    "OrdersRow",
    "PartRow",
    "ScheduleRow",
    "SeenWorkerRow",
    "SizedNetworkRow",
    "StageRow",
    "StoredRow",
    "TakenDeliveryRow",
    "TryRow",
    "UsageRow",
    "UserRow",
    "VersionRow",
    "WebhookRow",
    "WorkerRow",
]
