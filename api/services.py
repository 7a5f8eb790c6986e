"""What a request may use: one set for each app, and so for each process."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app

from accept import Means
from accept.quota import Quota
from accept.stored import Stored
from accounts.store import AccountStore
from api.access.keyring import Keyring
from api.access.limits import Limiter
from api.access.signing import Signer
from api.access.strangers import Strangers
from api.forecasting.depths import Depths
from api.forecasting.forecast import Forecaster
from api.requests.budget import Budget
from api.requests.slots import Slots
from api.settings import Settings
from api.streams.hangups import HangUps
from api.streams.watching import Watcher
from fleet.store import FleetStore
from jobs.files import FileStore
from jobs.networks import NetworkStore
from jobs.store import JobStore
from queue_config import Doorbell, redis_url
from schedules.store import ScheduleStore
from storage.base import Storage
from webhooks.deliveries import DeliveryStore
from webhooks.endpoints import WebhookStore

_EXTENSION = "atelier"


@dataclass(frozen=True)
class Services:
    """The stores and helpers of one app."""

    settings: Settings
    jobs: JobStore
    depths: Depths
    files: FileStore
    networks: NetworkStore
    accounts: AccountStore
    fleet: FleetStore
    schedules: ScheduleStore
    webhooks: WebhookStore
    deliveries: DeliveryStore
    storage: Storage
    doorbell: Doorbell
    keyring: Keyring
    limiter: Limiter
    strangers: Strangers
    quota: Quota
    stored: Stored
    #: Those of the above that it takes to make a job.
    means: Means
    forecaster: Forecaster
    signer: Signer
    watcher: Watcher
    slots: Slots
    long_requests: Slots
    budget: Budget
    hang_ups: HangUps

    @classmethod
    def build(cls, store: JobStore, storage: Storage, doorbell: Doorbell, settings: Settings) -> Services:
        """Everything around these four. Connects to nothing."""
        means = Means.build(store, storage)
        accounts = AccountStore(store.database)
        slots = Slots(settings.streams, settings.streams_each)
        return cls(
            settings=settings,
            jobs=store,
            depths=Depths(store),
            files=means.files,
            networks=means.networks,
            accounts=accounts,
            fleet=means.fleet,
            schedules=ScheduleStore(store.database),
            webhooks=WebhookStore(store.database),
            deliveries=DeliveryStore(store.database),
            storage=storage,
            doorbell=doorbell,
            keyring=Keyring(accounts),
            limiter=Limiter(settings.rate_per_minute, redis_url()),
            strangers=Strangers(),
            quota=means.quota,
            stored=means.stored,
            means=means,
            forecaster=Forecaster(store, means.fleet),
            signer=Signer(lambda: accounts.shared_secret("content")),
            watcher=Watcher(store, accounts.valid),
            slots=slots,
            long_requests=Slots(settings.long_requests, settings.long_requests_each),
            budget=Budget(settings.memory_budget_bytes),
            hang_ups=HangUps(slots.closing),
        )


def services() -> Services:
    """Those of the app that serves this request."""
    found: Services = current_app.extensions[_EXTENSION]
    return found
