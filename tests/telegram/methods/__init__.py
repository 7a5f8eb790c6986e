"""The methods of the API: each takes the session and a call's parameters, and gives the result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.telegram.methods import account, albums, editing, queries, receiving, sending
from tests.telegram.parameters import Parameters
from tests.telegram.session import Session

Method = Callable[[Session, Parameters], Awaitable[Any]]

#: By their names in the documentation; the server asks without regard to case.
METHODS: dict[str, Method] = {
    **account.METHODS,
    **receiving.METHODS,
    **sending.METHODS,
    **albums.METHODS,
    **editing.METHODS,
    **queries.METHODS,
}
