"""The sweeper's passes through what is not kept for ever: results, uploads, link codes, answers, messages.

Rows go here; their objects go with the clean-up.
"""

from __future__ import annotations

import structlog

from accounts.store import AccountStore
from jobs.files import FileStore
from jobs.providers import ProviderStore
from jobs.store import JobStore, Keeping
from webhooks.deliveries import DeliveryStore

_log = structlog.get_logger(__name__)

OWNERS_AT_ONCE = 200
#: Jobs in one transaction, and transactions for one owner before the next one has a turn.
RESULTS_AT_ONCE = 100
TURNS = 10
FILES_AT_ONCE = 500
#: Messages in one transaction; and transactions before the objects of what has expired have a turn.
MESSAGES_AT_ONCE = 1000
MESSAGE_TURNS = 10
#: Link codes in one transaction.
CODES_AT_ONCE = 1000
#: Kept answers in one transaction.
ANSWERS_AT_ONCE = 500


class Expiry:
    """One pass is `look`."""

    def __init__(self, store: JobStore, files: FileStore) -> None:
        self._store = store
        self._files = files
        #: How far the walk through an owner's files has come.
        self._walked: dict[str, str] = {}

    def look(self) -> bool:
        """Remove what is due, a bounded number of each owner's. True: there is more. Raises Unavailable."""
        more = False
        after = ""
        while True:
            owners = self._store.keeping(after=after, limit=OWNERS_AT_ONCE)
            for owner in owners:
                # Results first: then the walk through the files does not pass over so many of them.
                more |= owner.results and self._results(owner)
                more |= owner.files and self._uploads(owner)
            if len(owners) < OWNERS_AT_ONCE:
                return more
            after = owners[-1].owner_id

    def _results(self, owner: Keeping) -> bool:
        for _ in range(TURNS):
            gone = self._store.expire_results(owner.owner_id, owner.seconds, limit=RESULTS_AT_ONCE)
            if gone:
                _log.info("results_expired", owner_id=owner.owner_id, jobs=len(gone))
            if len(gone) < RESULTS_AT_ONCE:
                return False
        return True

    def _uploads(self, owner: Keeping) -> bool:
        after = self._walked.pop(owner.owner_id, "")
        gone, end = self._files.expire(owner.owner_id, owner.seconds, after=after, limit=FILES_AT_ONCE)
        if gone:
            _log.info("uploads_expired", owner_id=owner.owner_id, files=gone)
        if end is not None:
            self._walked[owner.owner_id] = end
        return end is not None


class OldCodes:
    """Link codes that nobody used. One pass is `look`."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    def look(self) -> bool:
        """Remove a bounded number of them. True: there may be more. Raises Unavailable."""
        return self._accounts.expire_codes(limit=CODES_AT_ONCE) == CODES_AT_ONCE


class OldAnswers:
    """What services elsewhere answered, kept long enough. One pass is `look`."""

    def __init__(self, providers: ProviderStore) -> None:
        self._providers = providers

    def look(self) -> bool:
        """Remove a bounded number of them. True: there may be more. Raises Unavailable."""
        return self._providers.expire(limit=ANSWERS_AT_ONCE) == ANSWERS_AT_ONCE


class OldMessages:
    """What webhooks were told long ago, or at endpoints that were deleted. One pass is `look`."""

    def __init__(self, deliveries: DeliveryStore) -> None:
        self._deliveries = deliveries

    def look(self) -> bool:
        """Remove a bounded number of them. True: there may be more. Raises Unavailable."""
        return all(self._deliveries.forget(limit=MESSAGES_AT_ONCE) for _ in range(MESSAGE_TURNS))
