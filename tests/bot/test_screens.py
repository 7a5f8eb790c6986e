"""Every screen fits a message, is in its language, and nothing in it breaks or disguises anything."""

from __future__ import annotations

import pytest

from bot import screens
from bot.callbacks import unpack
from bot.dialogue import Draft, Tap, Typed, apply, start
from bot.forms import BadValue, Choice, Form
from bot.screens import MAX_ROWS, menu, screen
from bot.texts import MESSAGE_LENGTH, length
from bot.words import Words
from tests.bot.engine_views import form, offered, schema
from tests.bot.tapping import ENGLISH, assert_fits, buttons, tap, texts


def test_long_forms_choices_and_menus_are_paged():
    shape = {
        f"f{n}": {"type": "integer", "minimum": 1, "maximum": 3, "title": f"Field {n}"} for n in range(40)
    }
    shape["planet"] = {"enum": [f"a rather long name {n}" for n in range(40)], "title": "Planet"}
    new = Form.of(schema(shape))
    draft, seen = start(new), set()
    for _ in range(9):
        shown = screen(new, draft, ENGLISH)
        assert len(shown.rows) <= MAX_ROWS
        seen |= {text.partition(":")[0] for text in texts(new, draft)}
        turn = [b for b in buttons(shown) if b.text.endswith("›")]
        if not turn:
            break
        draft = apply(new, draft, Tap(*unpack(turn[0].data)))
    assert {f"Field {n}" for n in range(40)} | {"Planet"} <= seen
    draft = tap(new, draft, "Planet")
    seen = set()
    while True:
        seen |= set(texts(new, draft))
        assert len(screen(new, draft, ENGLISH).rows) <= MAX_ROWS
        if not any(text.endswith("›") for text in texts(new, draft)):
            break
        draft = tap(new, draft, next(text for text in texts(new, draft) if text.endswith("›")))
    assert {f"A rather long name {n}" for n in range(40)} <= seen
    many = [Form.of(schema({}) | {"name": f"engine{n}", "title": f"Engine {n}"}) for n in range(60)]
    pages = [menu(many, ENGLISH, page) for page in range(6)]
    assert all(len(page.rows) <= MAX_ROWS and length(page.text) <= MESSAGE_LENGTH for page in pages)
    assert {b.text for page in pages for b in buttons(page)} >= {f"Engine {n}" for n in range(60)}


HOSTILE = "</b><a href='tg://user?id=1'>x</a>&lt;\0\u202e\n" + "🪐" * 3000


def test_hostile_titles_and_values_neither_break_nor_disguise_anything():
    shape = {
        "a": {"type": "string", "title": HOSTILE, "description": HOSTILE, "default": HOSTILE},
        "b": {"enum": [HOSTILE, ""], "title": "", "description": HOSTILE},
        "c": {"type": "object", "title": HOSTILE},
    } | {f"f{n}": {"type": "string", "title": HOSTILE} for n in range(40)}
    evil = Form.of(schema(shape) | {"title": HOSTILE, "description": HOSTILE})
    values = {"a": HOSTILE, "b": HOSTILE, "c": {HOSTILE: HOSTILE}} | {f"f{n}": HOSTILE for n in range(40)}
    for language in Words.languages:
        words = Words(language)
        drafts = [Draft(engine="new", values=values, asking=asking) for asking in (None, "a", "b", "c")]
        for shown in [*(screen(evil, draft, words) for draft in drafts), menu([evil] * 20, words)]:
            assert_fits(shown)
    networks = form("stylegan").offering({"network": [Choice("planets", "\u202e\0"), Choice("b", HOSTILE)]})
    assert_fits(screen(networks, start(networks), ENGLISH))


def test_every_screen_is_in_the_language_it_should_be():
    shown = {}
    for language in Words.languages:
        words = Words(language)
        shown[language] = {
            (name, asking): screen(form(name, language), Draft(engine=name, asking=asking), words).text
            for name in offered()
            for asking in [one.name for one in form(name).fields]
        }
    for language in ("de", "pl", "ru"):
        same = [at for at, text in shown[language].items() if text == shown["en"][at]]
        assert not same


def test_the_words_of_a_form_are_those_the_api_gave_it():
    german = Words("de")
    style = form("neural_style", "de")
    question = screen(style, Draft(engine="neural_style", asking="strength"), german).text
    assert "Stärke" in question
    assert "0: behält die Einzelheiten; 1: malt frei" in question
    draft = Draft(engine="neural_style", files={"content": ["a"], "style": ["b"]})
    assert "Verfahren: Pinselstriche" in texts(style, draft, german)


def test_a_complaint_is_said():
    planets = form("planets")
    draft = tap(planets, start(planets), "Variation")
    with pytest.raises(BadValue) as caught:
        apply(planets, draft, Typed("2"))
    assert screens.complaint(caught.value, Words("de")) == "Das ist zu groß: bitte höchstens 1,5."
