"""What an engine sees of its job's owner's account with a provider (`engines.base.Ledger`)."""

from __future__ import annotations

from dataclasses import dataclass

from engines.base import BudgetUsedUp
from jobs.providers import ProviderStore


@dataclass(frozen=True)
class OwnerLedger:
    """Of one owner and one provider. All of it raises Unavailable."""

    store: ProviderStore
    owner_id: str
    provider: str
    calls_per_day: int
    tokens_per_day: int

    def spend(self, calls: int = 0, tokens: int = 0) -> None:
        """See `engines.base.Ledger.spend`."""
        anew = self.store.spend(
            self.owner_id,
            self.provider,
            calls=calls,
            tokens=tokens,
            calls_per_day=self.calls_per_day,
            tokens_per_day=self.tokens_per_day,
        )
        if anew is not None:
            bounds = {"calls": self.calls_per_day, "tokens": self.tokens_per_day}
            told = " and ".join(f"{most} {what}" for what, most in bounds.items() if most)
            raise BudgetUsedUp(
                f"What you may ask of the service {self.provider} in a day ({told}) is used up; "
                f"it begins anew at {anew:%Y-%m-%d %H:%M} UTC."
            )

    def recall(self, request: str) -> str | None:
        """See `engines.base.Ledger.recall`."""
        return self.store.recall(self.owner_id, request)

    def remember(self, request: str, answer: str) -> None:
        """See `engines.base.Ledger.remember`."""
        self.store.remember(self.owner_id, request, answer)

    def forget(self, request: str) -> None:
        """See `engines.base.Ledger.forget`."""
        self.store.forget(self.owner_id, request)
