"""What people write behind a command, and what is said when something does not work."""

from __future__ import annotations

import pytest

from bot.accounts import NotAllowed
from bot.exchanges import _TAG
from bot.forms import BadValue
from bot.handlers.reasons import Sorry, reason
from bot.handlers.routing import COMMANDS, LISTED, TAPS, TAPS_FOR_ALL
from bot.handlers.shortcuts import worlds
from bot.words import Words
from client import NoServer, Refused
from tests.bot.engine_views import form


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("earth", {"world": "earth"}),
        ("Earth", {"world": "earth"}),
        ("any 4", {"world": "any", "count": 4}),
        ("9", {"count": 9}),
        ("mars moon", {"world": {"mars": 1.0, "moon": 1.0}}),
        ("mars, moon,mars", {"world": {"mars": 1.0, "moon": 1.0}}),
        ("mars=0.7 moon=0.3", {"world": {"mars": 0.7, "moon": 0.3}}),
        ("mars: 2, moon: 1", {"world": {"mars": 2.0, "moon": 1.0}}),
    ],
)
def test_planets_in_words(said, meant):
    assert worlds(form("planets"), said) == meant


@pytest.mark.parametrize("language", Words.languages)
def test_planets_in_the_words_of_each_language(language):
    planets = form("planets", language)
    for choice in planets["world"].choices:
        assert worlds(planets, choice.title) == {"world": choice.value}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("krypton", "unknown_name"),
        ("earth krypton", "unknown_name"),
        ("earth 999", "too_large"),
        ("mars=x", "not_pairs"),
        ("earth any", "not_a_choice"),
    ],
)
def test_planets_that_are_none(said, code):
    with pytest.raises(BadValue) as found:
        worlds(form("planets"), said)
    assert found.value.code == code


def refused(status: int, code: str, **more: object) -> Refused:
    return Refused(status, {"code": code, "detail": "Because <so>.", **more})


@pytest.mark.parametrize("language", Words.languages)
@pytest.mark.parametrize(
    ("error", "key"),
    [
        (NoServer("x"), "error.server_away"),
        (NotAllowed(), "welcome.not_allowed"),
        (BadValue("too_small", minimum=3), "bad_value.too_small"),
        (BadValue("a_code_of_tomorrow"), "bad_value.pattern"),
        (Sorry("error.sticker"), "error.sticker"),
        (refused(429, "too_many_queued"), "error.quota_full"),
        (refused(429, "rate_limited", retry_after=7), "error.rate_limited"),
        (refused(401, "unauthorized"), "error.account_gone"),
        (refused(404, "engine_not_found"), "error.no_engine"),
        (refused(404, "not_found"), "error.job_gone"),
        (refused(413, "too_large"), "error.file_too_large"),
        (refused(422, "weights_missing"), "error.weights_missing"),
        (refused(422, "invalid_params", errors=[{"field": "x", "message": "<b>"}]), "error.invalid"),
        (refused(422, "something_new"), "error.invalid"),
        (refused(503, "unavailable"), "error.server_away"),
        (refused(500, "error"), "error.server_away"),
    ],
)
def test_every_refusal_is_a_sentence_in_every_language(error, key, language):
    words = Words(language)
    found, facts = reason(error, 7, words)

    assert found == key
    text = words(found, **facts)
    assert len(text) > 10
    assert "<so>" not in text
    assert "<b>" not in _TAG.sub("", text)


def test_every_command_is_in_every_menu():
    for language in Words.languages:
        for name in (*LISTED, "start", "admin"):
            assert 1 <= len(Words(language).plain(f"command.{name}")) <= 256
    assert set(LISTED) < set(COMMANDS)


def test_every_open_button_is_one_of_ours():
    assert set(TAPS) > TAPS_FOR_ALL
