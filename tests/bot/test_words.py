"""The catalogues are complete, in each language's own grammar, and say nothing that nobody asks for."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.gallery import Gallery
from bot.texts import clean, length
from bot.words import Html, Words, catalogue, category
from tests.bot.telegram_html import shown_text

ROOT = Path(__file__).parent.parent.parent
BOT = ROOT / "bot"
LANGUAGES = sorted(Words.languages)
#: CLDR 48, cardinals.
PLURALS = {
    "en": {"one", "other"},
    "de": {"one", "other"},
    "pl": {"one", "few", "many", "other"},
    "ru": {"one", "few", "many", "other"},
}
#: What is shown where Telegram reads no HTML.
PLAIN = ("button.", "toast.", "command.", "inline.", "duration.", "gallery.")


def forms(text):
    return list(text.values()) if isinstance(text, dict) else [text]


def placeholders(text):
    return {name for one in forms(text) for _, name, _, _ in string.Formatter().parse(one) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language):
    english, own = catalogue("en"), catalogue(language)
    assert own.keys() == english.keys()
    for key, text in own.items():
        assert placeholders(text) == placeholders(english[key]), key
        assert isinstance(text, dict) == isinstance(english[key], dict), key
        assert all(one.strip() for one in forms(text)), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_plural_has_the_forms_of_its_language(language):
    for key, text in catalogue(language).items():
        if isinstance(text, dict):
            assert text.keys() == PLURALS[language], key
            # "1" may be said in words or left out; no other form may lose its number.
            assert all("{count}" in one for name, one in text.items() if name != "one"), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_html_that_telegram_takes(language):
    for key, text in catalogue(language).items():
        for one in forms(text):
            shown = shown_text(one)
            assert length(shown) < 1500, key
            if key.startswith(PLAIN):
                assert shown == one, f"{key} has markup"
            if key.startswith("toast."):
                assert length(one) <= 200, key
            if key.startswith("button."):
                assert length(one) <= 28, key
            if key.startswith("command."):
                assert 3 <= len(one) <= 256, key
            assert set(clean(one)) == set(one), key
            assert one == one.strip(), key


def test_no_language_was_left_in_english():
    # "s", "min", "h" and "seed" are everybody's.
    international = {"duration.seconds", "duration.minutes", "duration.hours", "result.caption"}
    for language in ("de", "pl", "ru"):
        for key, text in catalogue(language).items():
            words = [re.sub(r"\{\w+\}|<[^>]+>|[^\w]", "", one) for one in forms(text)]
            if any(words) and key not in international:
                assert not set(forms(text)) & set(forms(catalogue("en")[key])), f"{language}: {key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_picture_of_the_gallery_has_a_name(language):
    named = {key.removeprefix("gallery.") for key in catalogue(language) if key.startswith("gallery.")}
    assert named == {path.stem for path in (ROOT / "assets" / "styles").glob("*.jpg")} == set(Gallery.names)


def calls():
    """(file, key, its facts) of every `words("key", ...)` and `words.plain("key", ...)` in the bot."""
    for path in sorted(BOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            function, key = node.func, node.args[0]
            if isinstance(function, ast.Attribute) and function.attr in ("plain", "knows"):
                ours = True
            else:
                ours = getattr(function, "id", getattr(function, "attr", "")) == "words"
            if ours:
                facts = None if None in {k.arg for k in node.keywords} else {k.arg for k in node.keywords}
                known = getattr(function, "attr", "") == "knows"
                for one in [key.body, key.orelse] if isinstance(key, ast.IfExp) else [key]:
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        yield path.name, one.value, None if known else facts


def test_every_text_the_bot_asks_for_is_there_with_its_facts():
    found = list(calls())
    assert len(found) > 30
    for where, key, facts in found:
        assert key in catalogue("en"), f"{where} says {key}"
        if facts is not None:
            # A plural may leave its number unsaid, so `count` is given whether or not it is shown.
            assert facts - {"count"} == placeholders(catalogue("en")[key]) - {"count"}, f"{where}: {key}"
            assert ("count" in facts) == (isinstance(catalogue("en")[key], dict)), f"{where}: {key}"


def test_every_text_is_asked_for():
    constants, prefixes = set(), set()
    for path in BOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                constants.add(node.value)
            elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                prefixes.add(node.values[0].value)
    prefixes = tuple(p for p in prefixes if "." in p)
    for key in catalogue("en"):
        assert key in constants or key.startswith(prefixes), f"nobody says {key}"


def test_every_complaint_about_a_value_has_its_words():
    raised = set()
    for name in ("values", "forms", "dialogue"):
        for node in ast.walk(ast.parse((BOT / f"{name}.py").read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "BadValue":
                code = ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else None
                if code is not None:
                    assert {k.arg for k in node.keywords} == placeholders(
                        catalogue("en")[f"bad_value.{code}"]
                    )
                    raised.add(code)
    # Those of types come from a table.
    raised |= {"not_text", "not_yes_or_no", "not_whole", "not_a_list", "not_pairs", "not_a_choice"}
    assert {f"bad_value.{code}" for code in raised} == {
        k for k in catalogue("en") if k.startswith("bad_value.")
    }


#: Samples of CLDR 48's plural rules (cardinals), integers and decimals.
SAMPLES = {
    ("en", "one"): "1",
    ("en", "other"): "0 2 16 100 1000 0.0 1.5 10.0",
    ("de", "one"): "1",
    ("de", "other"): "0 2 16 100 1000 0.0 1.5 10.0",
    ("pl", "one"): "1",
    ("pl", "few"): "2 3 4 22 23 24 32 102 1002",
    ("pl", "many"): "0 5 6 11 12 13 14 19 21 25 100 101 111 112 1000 1000000",
    ("pl", "other"): "0.0 1.5 10.0 100.0",
    ("ru", "one"): "1 21 31 41 51 101 1001",
    ("ru", "few"): "2 3 4 22 23 24 32 102 1002",
    ("ru", "many"): "0 5 6 11 12 13 14 19 20 25 100 111 112 1000 1000000",
    ("ru", "other"): "0.0 1.5 10.0 100.0",
}


@pytest.mark.parametrize(("language", "wanted"), SAMPLES)
def test_plural_categories_are_those_of_cldr(language, wanted):
    for number in SAMPLES[language, wanted].split():
        assert category(language, number) == wanted, number


def test_plurals_in_a_sentence():
    said = [Words(lang).plain("form.pictures", count=n) for lang, n in [("pl", 22), ("ru", 21), ("ru", 5)]]
    assert said == ["22 obrazy", "21 картинка", "5 картинок"]
    assert Words("en").plain("form.pictures", count=1.0) == "1 picture"
    assert Words("de").plain("form.pictures", count=0.5) == "0,5 Bilder"
    with pytest.raises(TypeError):
        Words("en").plain("form.pictures", count="1")


@pytest.mark.parametrize(
    ("tag", "language"),
    [("de-AT", "de"), ("PL", "pl"), ("ru_RU", "ru"), ("en-GB", "en"), ("fr", "en"), (None, "en"), ("", "en")],
)
def test_a_tag_finds_its_language(tag, language):
    assert Words(tag).language == language


def test_numbers_and_durations():
    english, russian = Words("en"), Words("ru")
    assert [english.number(n) for n in (7, 0.5, 1.0, -0.00001, 2**63, 0.1 + 0.2)] == [
        "7",
        "0.5",
        "1",
        "0",
        "9223372036854775808",
        "0.3",
    ]
    assert russian.number(0.25) == "0,25"
    assert [english.duration(s) for s in (0, 7.4, 42, 89, 90, 3000, 5400, 90000)] == [
        "1 s",
        "7 s",
        "40 s",
        "90 s",
        "2 min",
        "50 min",
        "2 h",
        "25 h",
    ]
    assert russian.duration(120) == "2 мин"


@given(st.text(max_size=60), st.sampled_from(LANGUAGES))
def test_whatever_a_fact_says_it_is_shown_as_it_is_and_steers_nothing(fact, language):
    shown = shown_text(Words(language)("link.succeeded", account=fact))
    assert clean(fact) in shown
    assert Words(language).plain("form.chosen", value=fact) == f"✓ {clean(fact)}"


def test_hostile_facts():
    evil = "<b>&\"'</b><a href=x>\0\u202egnp.exe\ud83d" + "🪐" * 5000
    text = Words("en")("form.question", title=evil, description=evil, hint=Html("<b>bold</b>"))
    shown = shown_text(text)
    assert length(shown) < 4096
    assert "<a href=x>" in shown
    assert not set(shown) & set("\0\u202e\ud83d")
    assert text.endswith("<b>bold</b>")
    # Braces are no placeholders once they are a fact.
    assert Words("en").plain("form.chosen", value="{title} {0} {") == "✓ {title} {0} {"
    text.encode()


def test_what_is_missing_is_an_error_and_no_hole_in_a_sentence():
    with pytest.raises(KeyError):
        Words("en")("no.such.text")
    with pytest.raises(KeyError):
        Words("en")("form.line", title="x")
    assert Words("en").knows("failure.timeout")
    assert not Words("en").knows("failure.nobody_knows")
