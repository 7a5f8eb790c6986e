"""Both clients, and an environment without a server of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from client import AsyncClient, Client
from tests.client.helpers import AnyClient, connecting


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATELIER_URL", raising=False)
    monkeypatch.delenv("ATELIER_KEY", raising=False)


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., AnyClient]]:
    """Makes clients of each kind: connect(url, key, ...)."""
    with connecting(request.param) as made:
        yield made
