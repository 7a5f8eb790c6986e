"""What people write behind a command that was made by hand."""

from __future__ import annotations

import pytest

from bot.forms import BadValue
from bot.handlers.shortcuts import worlds
from bot.words import Words
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
