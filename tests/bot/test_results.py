"""What is sent for a finished job, and with which buttons."""

from __future__ import annotations

import pytest

from bot import callbacks, results
from bot.sending import Kind
from bot.words import Words
from tests.bot.jobs import ECHO, artifact, chain, job, png, stage

LIMIT = 50_000_000
EN = Words("en")


def link(url: str) -> str:
    return f"https://studio.example{url}"


def parts(*files, labels=None) -> list[results.Part]:
    return results.parts(
        job(state="succeeded", artifacts=list(files)), ECHO | {"labels": labels or {}}, EN, LIMIT, link
    )


def outline(found: list[results.Part]) -> list[tuple[str, str | None, list[str]]]:
    return [(part.name, part.kind, [file["name"] for file in part.files]) for part in found]


def test_a_picture_is_a_photo_and_then_a_file():
    found = parts(png())
    assert outline(found) == [("face", "photo", ["planet.png"]), ("files-0", "document", ["planet.png"])]
    assert found[1].text == EN("result.full_quality")


def test_many_pictures_are_albums_of_at_most_ten():
    found = parts(*(png(f"{n}.png") for n in range(23)))
    assert [(part.name, len(part.files)) for part in found] == [
        ("face", 1), ("pictures-0", 10), ("pictures-1", 10), ("pictures-2", 2),
        ("files-0", 10), ("files-1", 10), ("files-2", 3),
    ]  # fmt: skip
    sent = [file["name"] for part in found if part.kind is Kind.PHOTO for file in part.files]
    assert sent == [f"{n}.png" for n in range(23)]


def test_no_album_is_larger_than_telegram_takes():
    found = parts(*(png(f"{n}.png", size=9_000_000) for n in range(7)))
    assert all(part.size <= LIMIT for part in found)
    assert sum(len(part.files) for part in found if part.kind is Kind.DOCUMENT) == 7


@pytest.mark.parametrize(
    "what",
    [
        {"size": 10_000_001},
        {"width": 9000, "height": 2000},
        {"width": 2100, "height": 100},
        {"meta": {"frames": 48}, "media_type": "image/webp"},
        {"media_type": "image/tiff"},
    ],
)
def test_what_is_no_photo_for_telegram_is_a_file(what):
    (face,) = parts(png(**what))
    assert face.kind is Kind.DOCUMENT


def test_a_film_is_an_animation():
    assert outline(parts(artifact("walk.mp4", "video/mp4"))) == [("face", "animation", ["walk.mp4"])]


def test_a_film_beside_a_picture_and_an_archive_comes_too():
    found = parts(png(), artifact("walk.mp4", "video/mp4"), artifact("frames.zip", "application/zip"))
    assert outline(found) == [
        ("face", "photo", ["planet.png"]),
        ("film-0", "animation", ["walk.mp4"]),
        ("files-0", "document", ["planet.png", "frames.zip"]),
    ]


@pytest.mark.parametrize("media_type", ["audio/mpeg", "audio/mp4"])
def test_a_sound_that_telegram_plays_is_one(media_type):
    found = parts(artifact("song", media_type, seconds=3.5), artifact("stems.zip", "application/zip"))
    assert outline(found) == [("face", "audio", ["song"]), ("files-0", "document", ["stems.zip"])]
    lesser = results.lesser(found[0], EN, link)
    assert lesser is not None
    assert lesser.kind is Kind.DOCUMENT


def test_another_sound_is_a_file_and_those_beside_a_picture_come_too():
    assert outline(parts(artifact("song.flac", "audio/flac"))) == [("face", "document", ["song.flac"])]
    found = parts(png(), artifact("a.mp3", "audio/mpeg"), artifact("b.mp3", "audio/mpeg"))
    assert [(part.name, part.kind) for part in found[:3]] == [
        ("face", "photo"), ("sound-0", "audio"), ("sound-1", "audio"),
    ]  # fmt: skip


def words_of(text: str, name: str = "haiku.txt"):
    return artifact(name, "text/plain", text=text)


def test_a_short_text_is_said_and_not_sent_as_a_file():
    (face,) = parts(words_of("an old pond\na frog <jumps>\n"))
    assert (face.kind, face.text) == (None, "an old pond\na frog &lt;jumps&gt;")


def test_texts_beside_a_picture_are_said_in_a_message_of_their_own():
    found = parts(png(), words_of("one", "1.txt"), words_of("two", "2.txt"))
    assert [(part.name, part.kind) for part in found] == [
        ("face", "photo"), ("text", None), ("files-0", "document"),
    ]  # fmt: skip
    assert found[1].text == "one\n\ntwo"
    assert [file["name"] for file in found[2].files] == ["planet.png"]


@pytest.mark.parametrize(
    "files",
    [
        [words_of("x" * 3001)],
        [words_of("x" * 2000), words_of("x" * 2000)],
        [words_of(" \n")],
        [words_of(None)],
    ],
    ids=["long", "long-together", "blank", "not-shown"],
)
def test_a_text_that_is_too_long_to_be_said_is_a_file(files):
    assert all(part.kind is Kind.DOCUMENT for part in parts(*files))
    assert sum(len(part.files) for part in parts(*files)) == len(files)


def test_what_is_too_large_is_a_link_that_people_can_open():
    large = artifact("film.mp4", "video/mp4", size=LIMIT + 1)
    (face,) = parts(large)
    assert face.kind is None
    assert (
        'href="https://studio.example/v1/files/art_film.mp4/content?expires=1&amp;signature=x"' in face.text
    )
    found = parts(png(), large)
    assert [part.name for part in found] == ["face", "files-0", "links"]


def test_a_link_telegram_would_drop_is_written_out():
    large = artifact("film.mp4", "video/mp4", size=LIMIT + 1)
    text = results.links([large], EN, lambda url: f"http://localhost:8080{url}")
    assert "href" not in text
    assert "http://localhost:8080/v1/files/art_film.mp4/content?expires=1&amp;signature=x" in text


def test_a_hostile_name_is_only_a_name():
    large = artifact("</a><b>&.mp4", "video/mp4", size=LIMIT + 1, url="/v1/files/art_1/content?a=\"'>")
    text = results.links([large], EN, link)
    assert "&lt;/a&gt;&lt;b&gt;&amp;.mp4</a>" in text
    assert 'content?a=&quot;&#x27;&gt;"' in text


def classified(label: str) -> results.Part:
    top = [{"world": "mars", "probability": 0.9712}, {"world": "moon", "probability": 0.02}]
    meta = {"label": label, "score": 0.9, "top": top, "probabilities": {}}
    labels = {"moon": "Luna", "not_a_planet": "Not a planet"}
    found = parts(artifact("classification.json", "application/json", meta=meta), labels=labels)
    assert [part.name for part in found] == ["face"]
    return found[0]


def test_a_classification_is_a_text_and_not_a_file():
    face = classified("mars")
    assert face.kind is None
    assert "Mars</b>" in face.text, "nobody says what it is called"
    assert "97.1 %" in face.text
    assert "Luna" in face.text


def test_a_label_that_is_not_among_the_rivals_is_none():
    text = classified("not_a_planet").text
    assert EN("result.answer", label="Not a planet") in text
    assert "Mars" in text


def test_other_json_is_shown_as_it_is_and_escaped():
    (face,) = parts(artifact("x.json", "application/json", meta={"a": "<b>", "n": 3, "deep": {"no": 1}}))
    assert face.text == "<pre>a: &lt;b&gt;\nn: 3</pre>"


def test_what_telegram_did_not_take_goes_in_the_next_lesser_way():
    face = parts(png())[0]
    second = results.lesser(face, EN, link)
    assert second is not None
    assert second.kind is Kind.DOCUMENT
    third = results.lesser(second, EN, link)
    assert third is not None
    assert third.kind is None
    assert "href" in third.text
    assert results.lesser(third, EN, link) is None
    assert results.lesser(parts(png(), png("b.png"))[1], EN, link) is None, "they come as files as well"


def verbs(found) -> list[str]:
    return [callbacks.unpack(button.data)[0] for row in found for button in row]


def test_a_job_that_is_made_of_jobs_took_what_these_did():
    timings = {"queued": 60.0, "run": 4.0}
    alone = results.heading(job(state="succeeded", timings=timings), "Echo", EN)
    assert "ready in 4 s" in alone
    assert "ready in 65 s" in results.heading(
        chain(stage("a"), state="succeeded", timings=timings), "Chain", EN
    )


def test_the_buttons_are_those_the_engine_has_a_use_for():
    plain = ECHO | {"params_schema": {"properties": {}}}
    done = job(state="succeeded", artifacts=[artifact("a.txt", "text/plain")])
    assert verbs(results.buttons(done, plain, EN)) == [callbacks.AGAIN, callbacks.SHARE]
    force = {"type": "number", "default": 0.5, "minimum": 0, "maximum": 1, "x-ui": {"role": "strength"}}
    style = ECHO | {"params_schema": {"properties": {"start": {"x-ui": {"role": "seed"}}, "force": force}}}
    done = job(state="succeeded", artifacts=[png()])
    assert verbs(results.buttons(done, style, EN)) == [
        callbacks.AGAIN, callbacks.VARIATION, callbacks.WEAKER,
        callbacks.STRONGER, callbacks.USE, callbacks.SHARE,
    ]  # fmt: skip
    done["params"]["force"] = 1
    assert callbacks.STRONGER not in verbs(results.buttons(done, style, EN))
    assert verbs(results.buttons(job(state="failed"), style, EN)) == [callbacks.RETRY]
