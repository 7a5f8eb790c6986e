"""The two clients are one: the same methods, taking the same, saying the same."""

from __future__ import annotations

import inspect

import pytest

from client import AsyncClient, Client
from client.async_transport import AsyncTransport
from client.sync_transport import Transport

AWAITED = {"AsyncIterator[Json]": "Iterator[Json]"}


def methods(kind: type) -> dict[str, object]:
    return {name: found for name, found in vars(kind).items() if not name.startswith("_") and callable(found)}


@pytest.mark.parametrize(
    ("one", "other"), [(Client, AsyncClient), (Transport, AsyncTransport)], ids=["clients", "transports"]
)
def test_they_have_the_same_methods(one, other):
    assert methods(one).keys() == methods(other).keys()
    for name, found in methods(one).items():
        twin = methods(other)[name]
        mine, its = inspect.signature(found), inspect.signature(twin)
        assert mine.parameters == its.parameters, name
        assert mine.return_annotation == AWAITED.get(its.return_annotation, its.return_annotation), name
        assert inspect.getdoc(found) == inspect.getdoc(twin), name


def test_what_is_asked_of_the_server_is_awaited_and_lists_are_iterated():
    for name, found in methods(AsyncClient).items():
        listed = "Iterator" in str(inspect.signature(found).return_annotation)
        assert inspect.iscoroutinefunction(found) != listed, name
