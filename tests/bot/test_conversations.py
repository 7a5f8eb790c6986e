"""Whole conversations: people, Telegram, the bot in a process of its own, and the real system behind it."""

from __future__ import annotations

import io
import json
import os
import re

import pytest
from PIL import Image

from tests.bot.house import House, assert_told, house, picture
from tests.patience import PATIENCE
from tests.telegram.people import User
from tests.telegram.transcript import Shown

pytestmark = pytest.mark.waits

ADMIN_NAME = "Olga"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    with house(tmp_path_factory.mktemp("house")) as made:
        made.olga = made.telegram.user(ADMIN_NAME)
        made.start_bot(ATELIER_TELEGRAM_ADMINS=str(made.olga.id))
        yield made


@pytest.fixture
def ada(home: House) -> User:
    return home.telegram.user("Ada")


def is_form(message: Shown) -> bool:
    return "▶️ Go" in message.labels


def is_result(message: Shown) -> bool:
    return "🎲 Variation" in message.labels


def small_planets(user: User) -> Shown:
    """A form for the smallest planet, which takes no time."""
    before = user.messages[-1] if user.messages else None
    user.say('/new planets {"size": 64, "world": "mars"}')
    return user.wait_for(is_form, 20, after=before)


def test_from_start_to_the_first_picture_in_two_taps(ada):
    ada.say("/start")
    menu = ada.wait_for(lambda m: "Planets" in m.labels)
    assert "Ada" in menu.text

    ada.press("Planets").answer()
    form = ada.wait_for(is_form)
    assert form.id == menu.id, "the menu becomes the form"
    ada.press("▶️ Go").answer()
    result = ada.wait_for(is_result, PATIENCE)
    file = ada.wait_for(lambda m: m.kind == "document")

    assert result.id == menu.id, "and the form the job, and the job the picture"
    assert result.kind == "photo"
    assert any("▰" in one.text or "queue" in one.text for one in result.history)
    assert file.file_name.endswith(".png")
    assert file.media.startswith(b"\x89PNG")
    assert len([m for m in ada.messages if m.from_bot]) == 2


def test_a_setting_is_chosen_by_button_and_another_one_typed(home, ada):
    small_planets(ada)
    ada.press("World: Mars").answer()
    ada.wait_for(lambda m: "✓ Mars" in m.labels)
    ada.press("Venus").answer()
    ada.wait_for(lambda m: is_form(m) and "World: Venus" in m.labels)
    ada.press("Count: 1").answer()
    ada.wait_for(lambda m: "16" in m.labels)
    ada.say("none of them")
    ada.wait_for(lambda m: "not a whole number" in m.text)
    ada.say("3")
    ada.wait_for(lambda m: is_form(m) and "Count: 3" in m.labels)
    ada.press("▶️ Go").answer()
    ada.wait_until(lambda all_: sum(m.kind == "document" for m in all_) == 3, PATIENCE)

    (job,) = home.jobs_of(ada.id)
    assert (job["params"]["world"], job["params"]["count"], job["params"]["size"]) == ("venus", 3, 64)


def test_variation_again_and_shared_settings(home, ada):
    small_planets(ada)
    ada.press("▶️ Go").answer()
    first = ada.wait_for(is_result, PATIENCE)
    (job,) = home.jobs_of(ada.id)

    ada.press("🎲 Variation", first).answer()
    second = ada.wait_for(is_result, PATIENCE, after=first)
    varied = home.jobs_of(ada.id)[0]
    assert varied["params"] | {"seed": 0} == job["params"] | {"seed": 0}
    assert varied["seed"] != job["seed"]
    assert second.media != first.media

    ada.press("📋 Share settings", first).answer()
    shared = ada.wait_for(lambda m: "with these settings" in m.text)
    command = shared.text.split("\n", 1)[1]
    assert json.loads(command.split(" ", 2)[2]) == {"size": 64, "world": "mars", "seed": job["seed"]}
    bob = home.telegram.user("Bob")
    bob.say(command)
    form = bob.wait_for(is_form)
    assert {"World: Mars", "Size: 64"} <= set(form.labels)

    ada.press("🔁 Again", first).answer()
    ada.wait_for(is_form, 10, after=shared)
    ada.press("▶️ Go").answer()
    same = ada.wait_for(is_result, PATIENCE, after=shared)
    assert home.jobs_of(ada.id)[0]["seed"] == job["seed"]
    assert same.media == first.media


def test_planet_with_words_needs_no_form_and_leaves_an_open_one_alone(home, ada):
    form = small_planets(ada)
    ada.say("/planet mars moon")
    ada.wait_for(is_result, PATIENCE)

    (job,) = home.jobs_of(ada.id)
    assert job["params"]["world"] == {"mars": 1.0, "moon": 1.0}
    ada.press("▶️ Go", form).answer()
    ada.wait_for(lambda m: m.id == form.id and is_result(m), PATIENCE)


@pytest.mark.parametrize(
    ("said", "answer"), [("/planet krypton", "krypton"), ("/planet mars=none", "names with numbers")]
)
def test_planet_with_words_that_mean_nothing(home, ada, said, answer):
    ada.say(said)

    ada.wait_for(lambda m: answer in m.text)
    assert home.jobs_of(ada.id) == []


def test_pictures_and_a_walk_of_the_network_that_comes_along(home, ada):
    ada.say("/stylegan")
    form = ada.wait_for(is_form)
    ada.press("▶️ Go", form).answer()
    result = ada.wait_for(lambda m: is_result(m) and m.id == form.id, PATIENCE)
    assert result.kind == "photo"
    assert home.jobs_of(ada.id)[0]["params"]["network"] == "planets-preview"

    ada.say('/new stylegan {"seeds": "1,2", "walk": "mp4", "frames": 4}')
    form = ada.wait_for(is_form, 20, after=result)
    ada.press("▶️ Go", form).answer()
    film = ada.wait_for(lambda m: is_result(m) and m.id == form.id, PATIENCE)
    assert film.kind == "animation"
    assert film.media[4:8] == b"ftyp", "an MP4"


def test_a_photo_a_style_and_go(home, ada):
    set_small(ada)
    ada.send_photo(picture())
    gallery = ada.wait_for(lambda m: "1 Autumn" in m.labels)
    assert gallery.kind == "photo", "the styles are shown, not only named"
    ada.press("3 Night").answer()
    ada.wait_for(lambda m: m.id == gallery.id and is_form(m))
    ada.press("▶️ Go").answer()
    result = ada.wait_for(lambda m: is_result(m) and m.id == gallery.id, PATIENCE)

    assert result.media != gallery.media
    assert {"➕ Stronger", "➖ Weaker"} <= set(result.labels)
    (job,) = home.jobs_of(ada.id)
    assert (job["params"]["size"], job["params"]["quality"]) == (128, "draft")

    ada.press("➕ Stronger", result).answer()
    ada.wait_for(is_result, PATIENCE, after=result)
    stronger = home.jobs_of(ada.id)[0]["params"]
    assert stronger == job["params"] | {"strength": 0.7}

    ada.press("🖼 Use as input", result).answer()
    ada.wait_for(lambda m: "1 Autumn" in m.labels and m.id > result.id)
    ada.press("2 Mosaic").answer()
    ada.wait_for(is_form)
    ada.press("▶️ Go").answer()
    ada.wait_until(lambda _: len(home.jobs_of(ada.id)) == 3)
    assert home.jobs_of(ada.id)[0]["params"]["content"] == job_picture(home, ada, 0)


def test_a_style_of_ones_own_as_a_file(home, ada):
    set_small(ada)
    ada.send_document(picture(kind="PNG"), "<b>evil</b>.png", "image/png", caption="*me* <i>")
    ada.wait_for(lambda m: "1 Autumn" in m.labels)
    ada.send_photo(picture(colour="darkred"))
    ada.wait_for(is_form)
    ada.press("▶️ Go").answer()
    ada.wait_for(is_result, PATIENCE)

    (job,) = home.jobs_of(ada.id)
    assert len(job["params"]["style"]) == 1


def test_an_album_whose_others_are_the_style(home, ada):
    set_small(ada)
    ada.send_album([picture(), picture(colour="darkred"), picture(colour="darkgreen")])
    asked = ada.wait_for(lambda m: "I have 3 pictures" in m.text)
    ada.press("Repaint the first in the style of the others").answer()
    ada.wait_for(lambda m: m.id == asked.id and is_form(m))
    ada.press("▶️ Go").answer()
    ada.wait_for(is_result, PATIENCE)

    (job,) = home.jobs_of(ada.id)
    assert len(job["params"]["style"]) == 2


def test_an_album_each_picture_of_which_is_repainted(home, ada):
    set_small(ada)
    ada.send_album([picture(), picture(colour="darkred")])
    ada.wait_for(lambda m: "I have 2 pictures" in m.text)
    ada.press("Repaint each one").answer()
    ada.wait_for(lambda m: "1 Autumn" in m.labels)
    ada.press("1 Autumn").answer()
    ada.wait_for(is_form)
    ada.press("▶️ Go").answer()
    ada.wait_until(lambda all_: sum(is_result(m) for m in all_) == 2, PATIENCE)

    assert len({job["params"]["content"] for job in home.jobs_of(ada.id)}) == 2


def test_classify_by_caption_by_answer_and_by_button(home, ada):
    planet = planet_of(home)
    ada.send_photo(planet, "/classify")
    answer = ada.wait_for(lambda m: "Mars" in m.text or "mars" in m.text, PATIENCE)

    shown = ada.send_photo(planet)
    ada.wait_for(lambda m: "Planet classifier" in m.labels)
    ada.press("Planet classifier").answer()
    ada.wait_for(lambda m: m.text == answer.text or "mars" in m.text.lower(), PATIENCE, after=shown)

    ada.say("/cancel")
    ada.wait_for(lambda m: "Closed" in m.text or "nothing" in m.text)
    before = ada.say("/classify", reply_to=shown)
    ada.wait_for(lambda m: "mars" in m.text.lower(), PATIENCE, after=before)
    assert [job["engine"] for job in home.jobs_of(ada.id)] == ["planet_classifier"] * 3


def test_what_is_no_picture_is_kindly_refused(ada):
    ada.send_sticker(picture(kind="WEBP"))
    ada.wait_for(lambda m: "sticker" in m.text)
    ada.send_video(b"no film at all")
    ada.wait_for(lambda m: "videos" in m.text)
    ada.send_document(b"%PDF-1.4", "letter.pdf", "application/pdf")
    ada.wait_for(lambda m: "read this as a picture" in m.text)
    ada.say("hello?")
    ada.wait_for(lambda m: "/new shows" in m.text)
    ada.say("/nonsense")
    ada.wait_for(lambda m: "do not know this command" in m.text)


def test_a_running_job_is_canceled_by_its_button(home, ada):
    ada.say('/new echo {"seconds": 60}')
    ada.wait_for(is_form)
    ada.press("▶️ Go").answer()
    ada.wait_for(lambda m: "▰" in m.text or "▱" in m.text, PATIENCE)
    pressed = ada.press("✖️ Cancel")
    assert "Stopping" in pressed.answer()["text"]
    ada.wait_for(lambda m: "was canceled" in m.text)

    assert home.jobs_of(ada.id)[0]["state"] == "canceled"


def test_a_chain_shows_its_stages_and_goes_on_where_it_stopped(home, ada):
    stages = [
        {"name": name, "engine": "echo", "params": {"seconds": 0.1 if name == "a" else 60}} for name in "ab"
    ]
    ada.say(f"/new pipeline {json.dumps({'stages': stages})}")
    ada.wait_for(is_form)
    ada.press("▶️ Go").answer()
    ada.wait_for(lambda m: "in parts" in m.text and "✅ a: 1/1" in m.text and "🎨 b:" in m.text, PATIENCE)
    ada.press("✖️ Cancel").answer()
    ada.wait_for(lambda m: "was canceled" in m.text and "✅ a: 1/1" in m.text)

    ada.press("🔁 Go on where it stopped").answer()
    ada.wait_for(lambda m: "in parts" in m.text and "✅ a: 1/1" in m.text and "🎨 b:" in m.text, PATIENCE)
    shown = ada.last
    again, first = home.jobs_of(ada.id)
    assert again["retry_of"] == first["id"]
    ada.say("/jobs")
    assert re.search(r"1\. 🎨 \d+ %", ada.wait_for(lambda m: "Your jobs" in m.text).text)
    ada.press("✖️ Cancel", shown).answer()
    ada.wait_for(lambda m: m.id == shown.id and "was canceled" in m.text)


def test_jobs_lists_them_and_cancel_asks_which(home, ada):
    for _ in range(2):
        ada.say('/new echo {"seconds": 60}')
        ada.wait_for(is_form)
        form = ada.last
        ada.press("▶️ Go", form).answer()
        ada.wait_for(lambda m, form=form: m.id == form.id and not is_form(m))
    ada.say("/jobs")
    listed = ada.wait_for(lambda m: "Your jobs" in m.text)
    assert listed.text.count("Echo") == 2

    ada.say("/cancel")
    which = ada.wait_for(lambda m: "Which one" in m.text)
    for row in which.buttons:
        ada.press_data(which, row[0]).answer()
    ada.wait_until(lambda all_: sum("was canceled" in m.text for m in all_) == 2)
    ada.say("/cancel")
    ada.wait_for(lambda m: "nothing to stop" in m.text)
    assert {job["state"] for job in home.jobs_of(ada.id)} == {"canceled"}


def test_languages_come_from_telegram_until_one_is_chosen(home):
    eva = home.telegram.user("Eva", language_code="de-AT")
    eva.say("/settings")
    eva.wait_for(lambda m: "Deutsch" in m.text)
    eva.press("🌐 Sprache").answer()
    eva.wait_for(lambda m: "Polski" in m.labels)
    eva.press("Polski").answer()
    eva.wait_for(lambda m: "Ustawienia" in m.text)
    eva.say("/help")
    assert "po polsku" not in eva.wait_for(lambda m: "/planet" in m.text).text
    assert re.search("[ąęłżźćśó]", eva.last.text)


def test_operators_see_the_fleet_and_drain_it_and_others_do_not(home, ada):
    ada.say("/admin")
    ada.wait_for(lambda m: "do not know this command" in m.text)
    olga = home.olga
    olga.say("/admin")
    fleet = olga.wait_for(lambda m: "Operation" in m.text)
    drain = next(label for label in fleet.labels if label.startswith("⏸"))
    try:
        olga.press(drain).answer()
        olga.wait_for(lambda m: any(label.startswith("▶️ Resume") for label in m.labels))
        with home.api as api:
            assert [one["draining"] for one in api.get("/v1/workers").json()["workers"]] == [True]
    finally:
        olga.press(next(label for label in olga.last.labels if label.startswith("▶️ Resume"))).answer()
    olga.wait_for(lambda m: any(label.startswith("⏸") for label in m.labels))
    olga.press("⏳ Queue").answer()
    olga.wait_for(lambda m: "Waiting" in m.text)


def test_a_linked_account_has_the_jobs(home, ada):
    with home.api as api:
        made = api.post("/v1/keys", json={"user": "grace"}).json()
        grace = {"Authorization": f"Bearer {made['key']}"}
        code = api.post("/v1/link-codes", headers=grace).json()["code"]
        ada.say(f"/start {code}")
        ada.wait_for(lambda m: "grace" in m.text)
        ada.say("/planet mars")
        ada.wait_for(is_result, PATIENCE)
        assert len(api.get("/v1/jobs", headers=grace).json()["jobs"]) == 1

        bob = home.telegram.user("Bob")
        bob.say(f"/start {code}")
        bob.wait_for(lambda m: "not valid any more" in m.text)


def test_groups_hear_the_bot_only_when_they_ask(home, ada):
    bob = home.telegram.user("Bob")
    home.telegram.world.reads_groups = True
    group = home.telegram.group("Painters", ada, bob)
    here = ada.join(group)
    there = bob.join(group)
    set_small(ada)
    photo = there.send_photo(picture())
    there.say("what a day")
    there.say("/planet@SomeOtherBot earth")
    there.say("/whatever")
    here.say("/style@AtelierBot", reply_to=photo)
    gallery = here.wait_for(lambda m: "1 Autumn" in m.labels)
    mine = [m for m in group.messages if m.from_bot and m.kind != "service"]
    assert [m.id for m in mine] == [gallery.id], "nothing else is said"
    assert gallery.reply_to is not None

    taken = there.press("1 Autumn", gallery).answer()
    assert "somebody else" in taken["text"]
    here.press("1 Autumn", gallery).answer()
    here.wait_for(is_form)
    here.press("▶️ Go").answer()
    here.wait_for(is_result, PATIENCE)
    assert len(home.jobs_of(ada.id)) == 1
    assert home.jobs_of(bob.id) == []


def test_inline_mode_leads_to_the_bot(home, ada):
    found = ada.inline_query("planet earth")
    assert "earth" in found.results[0]["title"].lower()
    link = found.results[0]["reply_markup"]["inline_keyboard"][0][0]["url"]
    assert link == "https://t.me/AtelierBot?start=planet-earth"
    ada.say("/start planet-earth")
    ada.wait_for(is_result, PATIENCE)
    assert home.jobs_of(ada.id)[0]["params"]["world"] == "earth"


def test_buttons_of_old_and_of_nobody(home, ada):
    form = small_planets(ada)
    other = small_planets(ada)
    assert other.id != form.id
    old = ada.press("▶️ Go", form).answer()
    assert "expired" in old["text"]
    assert home.jobs_of(ada.id) == []


def test_the_process_stays_small_whatever_people_send(home, ada):
    set_small(ada)
    large = noise(2500)
    assert len(large) > 18_000_000
    for number in range(2):
        ada.send_document(large, f"{number}.png", "image/png")
        form = ada.wait_for(lambda m: "1 Autumn" in m.labels)
        ada.press("1 Autumn", form).answer()
        form = ada.wait_for(lambda m, form=form: m.id == form.id and is_form(m))
        ada.press("▶️ Go", form).answer()
        ada.wait_for(lambda m, form=form: m.id == form.id and "✖️ Cancel" in m.labels)
    ada.wait_until(lambda _: len(home.jobs_of(ada.id)) == 2)

    assert home.bots[0].rss <= 120_000_000


def test_a_file_that_telegram_gives_no_bot(home, ada):
    ada.send_document(noise(2700), "huge.png", "image/png")
    form = ada.wait_for(lambda m: "1 Autumn" in m.labels)
    ada.press("1 Autumn", form).answer()
    form = ada.wait_for(is_form)
    assert_told(ada, ada.press("▶️ Go", form), "too large for me")
    assert home.jobs_of(ada.id) == []


def noise(side: int) -> bytes:
    """A picture that no format makes smaller: three bytes a pixel."""
    made = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
    out = io.BytesIO()
    made.save(out, "PNG", compress_level=0)
    return out.getvalue()


def set_small(user: User) -> None:
    """Forms begin with little work, as the user's settings say."""
    user.say("/settings")
    user.wait_for(lambda m: "📐 Size" in m.labels)
    user.press("📐 Size").answer()
    user.wait_for(lambda m: "128" in m.labels)
    user.press("128").answer()
    user.wait_for(lambda m: "💎 Quality" in m.labels)
    user.press("💎 Quality").answer()
    user.wait_for(lambda m: "Draft" in m.labels)
    user.press("Draft").answer()
    user.wait_for(lambda m: "Draft" in m.text and "128" in m.text)


def planet_of(home: House) -> bytes:
    """A picture of Mars that the system makes."""
    eve = home.telegram.user("Eve")
    eve.say("/planet mars")
    eve.wait_for(is_result, PATIENCE)
    return eve.wait_for(lambda m: m.kind == "document").media


def job_picture(home: House, user: User, number: int) -> str:
    """The id of the picture of the user's job of this number, the oldest is 0."""
    job = list(reversed(home.jobs_of(user.id)))[number]
    return str(job["artifacts"][0]["id"])
