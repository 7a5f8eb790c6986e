"""From an engine to a draft that can be handed in, by taps, text and pictures."""

from __future__ import annotations

from contextlib import suppress

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engines
from bot import callbacks, dialogue
from bot.callbacks import unpack
from bot.dialogue import Draft, Outdated, Sent, Tap, Typed, Unasked, apply, missing, params, source, start
from bot.forms import BadValue, Choice, Form
from bot.screens import menu, screen
from bot.words import Words
from tests.bot.engine_views import form, offered, schema, view
from tests.bot.tapping import ENGLISH, assert_fits, buttons, tap, texts
from tests.examples import examples

SCHEMAS = {name: view(name)["params_schema"] for name in offered()}
STYLES = [Choice(dialogue.from_gallery(name), name.title()) for name in ("night", "autumn", "mosaic")]


def sent(*files, media_type="image/jpeg"):
    """Files of one kind came."""
    return Sent(files, media_type)


def verbs(shown):
    return [unpack(button.data)[0] for button in buttons(shown)]


def test_planets_take_two_taps_from_the_menu():
    shown = menu([form(name) for name in offered()], ENGLISH)
    taps = [button for button in buttons(shown) if unpack(button.data) == (callbacks.ENGINE, ("planets",))]
    draft = start(form("planets"))
    taps += [button for button in buttons(screen(form("planets"), draft, ENGLISH)) if button.text == "▶️ Go"]
    assert len(taps) == 2  # four with /start and "New", should a menu stand before this one
    assert missing(form("planets"), draft) is None
    engines.spec("planets").params.model_validate(params(form("planets"), draft))


def test_a_photo_takes_a_style_and_go():
    style = form("neural_style").offering({"style": STYLES})
    draft = apply(style, start(style), sent("tg-photo"))
    assert missing(style, draft) is style["style"]
    draft = tap(style, draft, "Autumn")
    assert missing(style, draft) is None
    assert "▶️ Go" in texts(style, draft)
    assert draft.files == {"content": ["tg-photo"], "style": ["gallery:autumn"]}
    assert source("gallery:autumn") == ("gallery", "autumn")
    assert source("tg-photo") == ("telegram", "tg-photo")
    assert source(dialogue.from_artifact("art_1")) == ("artifact", "art_1")


def test_an_album_is_the_photo_and_its_styles():
    draft = apply(form("neural_style"), start(form("neural_style")), sent("a", "b", "c"))
    assert draft.files == {"content": ["a"], "style": ["b", "c"]}
    assert missing(form("neural_style"), draft) is None


def test_more_styles_are_added_until_there_are_four():
    style = form("neural_style")
    draft = apply(style, start(style), sent("a", "b"))
    draft = tap(style, draft, "Style: 1 picture")
    assert "up to 3 more" in screen(style, draft, ENGLISH).text
    draft = apply(style, draft, sent("c", "d", "e", "f"))
    assert draft.files["style"] == ["b", "c", "d", "e"]
    draft = tap(style, draft, "Style: 4 pictures")
    with pytest.raises(BadValue, match="too_many"):
        apply(style, draft, sent("g"))
    draft = tap(style, draft, "🗑 Remove")
    assert missing(style, draft) is style["style"]


def test_a_photo_is_replaced_by_another():
    style = form("neural_style")
    draft = tap(style, apply(style, start(style), sent("a", "b")), "Your photo")
    assert apply(style, draft, sent("z")).files == {"content": ["z"], "style": ["b"]}


def test_files_of_the_wrong_kind_and_uncalled_ones_are_refused():
    style = form("neural_style")
    with pytest.raises(BadValue, match="wrong_type"):
        apply(style, start(style), Sent(("a",), "application/pdf"))
    with pytest.raises(Unasked):
        apply(form("planets"), start(form("planets")), sent("a"))
    with pytest.raises(BadValue, match="send_a_file"):
        apply(style, start(style), Typed("a cat"))


def test_a_number_by_preset_by_text_and_back_to_its_default():
    planets = form("planets")
    draft = tap(planets, start(planets), "Count")
    assert draft.asking == "count"
    assert texts(planets, draft)[:4] == ["✓ 1", "4", "9", "16"]
    assert tap(planets, draft, "9").values == {"count": 9}
    typed = apply(planets, draft, Typed("12"))
    assert (typed.values, typed.asking) == ({"count": 12}, None)
    with pytest.raises(BadValue, match="too_large"):
        apply(planets, draft, Typed("65"))
    again = tap(planets, typed, "Count: 12")
    assert tap(planets, again, "↺ Default").values == {}
    assert tap(planets, again, "‹ Back") == typed


def test_text_that_nobody_asked_for_is_not_a_value():
    with pytest.raises(Unasked):
        apply(form("planets"), start(form("planets")), Typed("12"))


def test_a_switch_is_turned_on_the_summary():
    planets = form("planets")
    on = tap(planets, start(planets), "Grid: no")
    assert on.values == {"grid": True}
    assert on.asking is None
    assert tap(planets, on, "Grid: yes").values == {"grid": False}


def test_what_needs_another_field_appears_with_it_and_is_sent_with_it():
    planets = form("planets")
    draft = start(planets, morph="mp4", morph_seconds=4.0)
    assert "Seconds: 4" in texts(planets, draft)
    assert params(planets, draft) == {"morph": "mp4", "morph_seconds": 4.0}
    without = tap(planets, tap(planets, draft, "Morph: MP4"), "off")
    assert "Seconds: 4" not in texts(planets, without)
    assert params(planets, without) == {}


def test_advanced_settings_are_a_tap_away():
    planets = form("planets")
    draft = start(planets)
    assert not any(text.startswith("Seed") for text in texts(planets, draft))
    more = tap(planets, draft, "⚙️ More")
    seed = apply(planets, tap(planets, more, "Seed: automatic"), Typed("7"))
    assert seed.values == {"seed": 7}
    assert seed.more
    assert "Seed: 7" in texts(planets, seed)
    assert not tap(planets, seed, "‹ Back").more


def test_settings_for_all_forms_are_brought_within_bounds():
    known = {"size": 1024, "quality": "best", "language": "de"}
    assert start(form("planets"), known).values == {"size": 512}
    assert start(form("neural_style"), known).values == {"size": 1024, "quality": "best"}
    assert start(form("neural_style"), {"size": None, "quality": "<b>", "content": "x"}).values == {}


def test_a_job_s_params_make_its_form_again():
    style = form("neural_style")
    draft = start(style, content="art_1", style=["art_2", "art_3"], strength=0.75, seed=7)
    assert draft.files == {"content": ["artifact:art_1"], "style": ["artifact:art_2", "artifact:art_3"]}
    assert params(style, draft) == {"strength": 0.75, "seed": 7}
    with pytest.raises(BadValue):
        start(style, strength=7)
    with pytest.raises(KeyError):
        start(style, nothing=7)


def test_a_network_that_comes_along_needs_no_choice():
    shipped = form("stylegan")
    assert shipped["network"].default in [choice.value for choice in shipped["network"].choices]
    assert missing(shipped, start(shipped)) is None
    assert apply(shipped, tap(shipped, start(shipped), "Network"), Typed("mine")).values == {
        "network": "mine"
    }


def test_the_only_network_is_chosen_already():
    network = {"type": "string", "title": "Network", "x-network": {"kind": "new", "shipped": []}}
    engine = Form.of(schema({"network": network}, required=("network",)))
    one = engine.offering({"network": [Choice("planets", "Planets")]})
    assert start(one).values == {"network": "planets"}
    two = engine.offering({"network": [Choice("a", "A"), Choice("b", "B")]})
    draft = start(two)
    assert missing(two, draft) is two["network"]
    assert tap(two, draft, "B").values == {"network": "b"}
    assert "no network" in screen(engine, start(engine), ENGLISH).text
    assert apply(engine, start(engine), Typed("mine")).values == {"network": "mine"}


def test_a_required_null_is_not_left_out():
    shape = {"level": {"anyOf": [{"enum": ["a"]}, {"type": "null"}], "default": "a", "title": "Level"}}
    new = Form.of(schema(shape))
    assert params(new, start(new)) == {}
    assert params(new, tap(new, tap(new, start(new), "Level"), "off")) == {"level": None}


@pytest.mark.parametrize(
    "action",
    [
        Tap(callbacks.SET, ("0000", "1", "1")),  # of a form that was different
        Tap(callbacks.GO, ("0000",)),
        Tap(callbacks.JOBS, ("DIGEST",)),  # not of a form
        Tap(callbacks.SET, ("DIGEST", "99", "0")),
        Tap(callbacks.SET, ("DIGEST", "1", "99")),
        Tap(callbacks.SET, ("DIGEST", "1", "-1")),
        Tap(callbacks.SET, ("DIGEST", "1", "x")),
        Tap(callbacks.SET, ("DIGEST", "4", "2")),  # a switch has two sides
        Tap(callbacks.ASK, ("DIGEST", "1", "99999")),
        Tap(callbacks.PAGE, ("DIGEST", "٣")),
    ],
)
def test_forged_and_outdated_buttons_change_nothing(action):
    planets = form("planets")
    args = tuple(planets.digest if arg == "DIGEST" else arg for arg in action.args)
    with pytest.raises(Outdated):
        apply(planets, start(planets), Tap(action.verb, args))


@settings(max_examples=examples(60), deadline=None)
@given(st.sampled_from(offered()), st.sampled_from(sorted(Words.languages)), st.data())
def test_whatever_is_tapped_every_screen_fits_and_every_draft_survives_the_notes(name, language, data):
    words, shape = Words(language), form(name, language)
    if name == "neural_style":
        shape = shape.offering({"style": STYLES})
    draft = start(shape)
    for _ in range(8):
        shown = screen(shape, draft, words)
        assert_fits(shown)
        assert (callbacks.GO in verbs(shown)) == (dialogue.asked(shape, draft) is None)
        choices = [Tap(*unpack(button.data)) for button in buttons(shown)]
        action = data.draw(st.sampled_from([*choices, Typed("1"), Typed("mars"), sent("a", "b")]))
        # A fifth style picture is the one thing that a button offers and the form refuses.
        refused = (BadValue, Unasked) if name == "neural_style" or not isinstance(action, Tap) else ()
        with suppress(*refused):
            draft = apply(shape, draft, action)
        assert Draft.model_validate_json(draft.model_dump_json()) == draft
    if missing(shape, draft) is None:
        files = {
            field: ["art_1" for _ in some] if shape[field].multiple[1] > 1 else "art_1"
            for field, some in draft.files.items()
            if some
        }
        jsonschema.validate(params(shape, draft) | files, SCHEMAS[name])


def test_only_what_takes_a_picture_and_nothing_else_asks_nothing_more():
    assert [name for name in offered() if form(name).asks_nothing_more] == ["planet_classifier"]
    picture = {"type": "string", "x-artifact": {"accept": ["image/jpeg"]}}
    level = {"type": "integer", "minimum": 0, "maximum": 9, "default": 0, "x-ui": {"advanced": True}}
    assert Form.of(schema({"p": picture, "level": level}, ("p",))).asks_nothing_more
    assert not Form.of(schema({"level": level})).asks_nothing_more, "nothing would ask before it begins"
    assert not Form.of(schema({"p": picture, "level": level | {"x-ui": {}}}, ("p",))).asks_nothing_more


def test_a_question_for_a_sound_takes_a_sound_and_no_picture():
    song = {"x-artifact": {"accept": ["audio/mpeg", "audio/ogg"]}, "type": "string"}
    film = Form.of(
        {
            "name": "film",
            "title": "Film",
            "description": "",
            "params_schema": {"type": "object", "properties": {"song": song}, "required": ["song"]},
        }
    )
    draft = apply(film, start(film), sent("tg-voice", media_type="audio/ogg"))
    assert draft.files == {"song": ["tg-voice"]}
    with pytest.raises(BadValue, match="wrong_type"):
        apply(film, start(film), sent("tg-photo"))
