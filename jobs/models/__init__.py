"""The tables. Every column's meaning is here; every statement about jobs is in `jobs.store`."""

from jobs.models.account import ApiKey, LinkCode, Secret, User
from jobs.models.base import Base
from jobs.models.file import Artifact, Cleanup, UploadKey
from jobs.models.fleet import Lock, Worker
from jobs.models.job import Job, JobEvent, JobInput, JobPart, JobTag, PastUsage
from jobs.models.line import Clock, Flow
from jobs.models.network import JobNetwork, Network, NetworkFile
from jobs.models.provider import ProviderAnswer, ProviderUsage
from jobs.models.schedule import Schedule, ScheduleInput
from jobs.models.webhook import Delivery, DeliveryAttempt, Webhook

__all__ = [
    "ApiKey",
    "Artifact",
    "Base",
    "Cleanup",
    "Clock",
    "Delivery",
    "DeliveryAttempt",
    "Flow",
    "Job",
    "JobEvent",
    "JobInput",
    "JobNetwork",
    "JobPart",
    "JobTag",
    "LinkCode",
    "Lock",
    "Network",
    "NetworkFile",
    "PastUsage",
    "ProviderAnswer",
    "ProviderUsage",
    "Schedule",
    "ScheduleInput",
    "Secret",
    "UploadKey",
    "User",
    "Webhook",
    "Worker",
]
