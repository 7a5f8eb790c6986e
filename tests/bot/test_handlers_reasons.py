"""What is said when something does not work."""

from __future__ import annotations

import pytest

from bot.accounts import NotAllowed
from bot.exchanges import _TAG
from bot.forms import BadValue
from bot.handlers.reasons import Sorry, reason
from bot.words import Words
from client import NoServer, Refused


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
