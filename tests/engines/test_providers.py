"""Services elsewhere: set up by variables, or not; missing while their circuit is open."""

from __future__ import annotations

import pytest

from engines import providers
from engines.base import Away
from engines.circuit import FAILURES
from engines.providers import Provider

URL = "https://api.example.org/v1"


@pytest.fixture(autouse=True)
def _none(monkeypatch):
    for name in ("URL", "MODEL", "SECONDS", "LENGTH_FIELD", "CALLS_PER_DAY", "TOKENS_PER_DAY"):
        monkeypatch.delenv(f"ATELIER_CHAT_{name}", raising=False)
    providers.circuit.cache_clear()


def set_up(monkeypatch, **values: str) -> None:
    for name, value in ({"URL": URL, "MODEL": "tiny"} | values).items():
        monkeypatch.setenv(f"ATELIER_CHAT_{name}", value)


def test_there_is_none_by_itself():
    assert providers.chat() is None
    assert providers.needs_met() == ()


def test_one_with_its_defaults(monkeypatch):
    set_up(monkeypatch, URL=f"{URL}/")
    assert providers.chat() == Provider("chat", URL, "tiny", 120.0, "max_tokens", 0, 0)
    assert providers.needs_met() == ("provider:chat",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"URL": "ftp://example.org"},
        {"URL": "api.example.org"},
        {"URL": "https://ann:secret@example.org/v1"},
        {"URL": f"{URL}?key=secret"},
        {"URL": "https://example.org:99999/v1"},
        {"URL": "https:///v1"},
        {"MODEL": ""},
        {"URL": ""},
        {"SECONDS": "0"},
        {"SECONDS": "nan"},
        {"SECONDS": "soon"},
        {"LENGTH_FIELD": "length"},
        {"CALLS_PER_DAY": "-1"},
        {"TOKENS_PER_DAY": "many"},
    ],
    ids=lambda wrong: "-".join(f"{name}={value[:9]}" for name, value in wrong.items()),
)
def test_what_is_wrong_is_not_set_up_and_stops_no_worker(monkeypatch, wrong):
    set_up(monkeypatch, **wrong)
    assert providers.chat() is None
    assert providers.needs_met() == ()


def test_one_that_is_left_alone_is_missing_meanwhile(monkeypatch):
    set_up(monkeypatch)
    for _ in range(FAILURES):
        with pytest.raises(Away), providers.circuit("chat").call():
            raise Away("away")
    assert providers.needs_met() == ()
    providers.circuit.cache_clear()
