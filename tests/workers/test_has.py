"""What a machine has of what jobs can need, by name."""

from __future__ import annotations

import pytest

from engines import providers
from engines.base import Away
from engines.circuit import FAILURES
from workers.has import has


@pytest.fixture(autouse=True)
def _nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path))
    for name in ("ATELIER_CHAT_URL", "ATELIER_CHAT_MODEL", "ATELIER_SECRET_CHAT", "ATELIER_SECRET_CHAT_FILE"):
        monkeypatch.delenv(name, raising=False)
    providers.circuit.cache_clear()
    yield
    providers.circuit.cache_clear()


def test_nothing():
    assert has() == ()


def test_weights_secrets_and_services_by_name(monkeypatch, tmp_path):
    (tmp_path / "vgg19-dcbb9e9d.pth").touch()
    monkeypatch.setenv("ATELIER_SECRET_CHAT", "sk-planted")
    assert has() == ("vgg19", "secret:chat")
    monkeypatch.setenv("ATELIER_CHAT_URL", "https://api.example.org/v1")
    monkeypatch.setenv("ATELIER_CHAT_MODEL", "tiny")
    assert has() == ("vgg19", "secret:chat", "provider:chat")


def test_a_service_that_is_left_alone_is_missing_meanwhile(monkeypatch):
    monkeypatch.setenv("ATELIER_CHAT_URL", "https://api.example.org/v1")
    monkeypatch.setenv("ATELIER_CHAT_MODEL", "tiny")
    assert has() == ("provider:chat",)
    for _ in range(FAILURES):
        with pytest.raises(Away), providers.circuit("chat").call():
            raise Away("away")
    assert has() == ()
