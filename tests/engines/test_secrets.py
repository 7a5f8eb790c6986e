"""Secrets: from a variable or a file, usable or not there, and shown to nobody."""

from __future__ import annotations

import pytest

from engines import secrets

VALUE = "sk-planted-5eCr3t"


@pytest.fixture(autouse=True)
def _none(monkeypatch):
    monkeypatch.delenv("ATELIER_SECRET_CHAT", raising=False)
    monkeypatch.delenv("ATELIER_SECRET_CHAT_FILE", raising=False)


def test_without_one_nothing_is_there():
    assert not secrets.present("chat")
    assert secrets.needs_met() == ()
    with pytest.raises(secrets.SecretMissing, match="chat"):
        secrets.read("chat")


def test_one_of_a_variable(monkeypatch):
    monkeypatch.setenv("ATELIER_SECRET_CHAT", f" {VALUE}\n")
    assert secrets.read("chat").get_secret_value() == VALUE
    assert secrets.needs_met() == ("secret:chat",)


def test_one_of_a_file_which_may_change(monkeypatch, tmp_path):
    file = tmp_path / "key"
    monkeypatch.setenv("ATELIER_SECRET_CHAT_FILE", str(file))
    assert not secrets.present("chat")
    file.write_text(f"{VALUE}\n")
    assert secrets.read("chat").get_secret_value() == VALUE
    file.write_text("another")
    assert secrets.read("chat").get_secret_value() == "another"


@pytest.mark.parametrize(
    "value",
    ["two words", "a\nb", "schlüssel", "x" * 5000, "a\x00b"],
    ids=["words", "lines", "letters", "long", "nul"],
)
def test_what_no_header_can_hold_is_no_secret_and_not_shown(monkeypatch, tmp_path, value):
    file = tmp_path / "key"
    file.write_text(value)
    monkeypatch.setenv("ATELIER_SECRET_CHAT_FILE", str(file))
    assert not secrets.present("chat")
    with pytest.raises(secrets.SecretMissing) as missing:
        secrets.read("chat")
    assert value not in str(missing.value)


def test_a_value_does_not_show_itself(monkeypatch):
    monkeypatch.setenv("ATELIER_SECRET_CHAT", VALUE)
    value = secrets.read("chat")
    assert VALUE not in f"{value} {value!r}"


def test_nothing_needs_another_one():
    with pytest.raises(KeyError):
        secrets.present("no_such")
