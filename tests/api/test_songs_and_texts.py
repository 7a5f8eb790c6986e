"""Songs and texts from a request to a result: uploaded, in the request, by id and by URL."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from pydantic import Field

import engines
from engines.base import AudioRef, EngineSpec, ImageRef, Output, Params, TextRef
from tests.api.helpers import Api, data_uri, picture, problem
from tests.doors.sounds import endless, silent_film, sound
from workers.house import House
from workers.runner import Runner

HAIKU = "an old pond\na frog jumps in\nsplash, né\n"


class ListenerParams(Params):
    """A song, a text, or both."""

    song: AudioRef | None = Field(default=None, description="A sound.")
    words: TextRef | None = Field(default=None, description="A text.")
    cover: ImageRef | None = Field(default=None, description="A picture.")


SPEC = EngineSpec(
    name="listener",
    title="Listener",
    description="Gives back what it was given.",
    params=ListenerParams,
    produces=("audio/mpeg", "text/plain"),
    example={"song": "art_song"},
    queue="cpu",
)


class Listener:
    """Sends back the song, and what the text says."""

    device = "cpu"

    def setup(self) -> None:
        """There is nothing to load."""

    def run(self, params: ListenerParams, context) -> Iterator[Output]:
        if params.song:
            yield Output("song.mp3", "audio/mpeg", context.input(params.song), seconds=2.0)
        if params.words:
            said = context.input(params.words).read_text("utf-8-sig")
            yield Output("words.txt", "text/plain", said.encode())
            yield Output("long.txt", "text/plain", (said * 200).encode())


class Catalogue:
    """With one engine of the test's own."""

    def __init__(self) -> None:
        self.names = lambda: ("listener",)
        self.spec = lambda _name: SPEC
        self.load = lambda _name: Listener()


@pytest.fixture(autouse=True)
def _listener(monkeypatch):
    real_names, real_spec = engines.names, engines.spec
    monkeypatch.setattr(engines, "names", lambda: (*real_names(), "listener"))
    monkeypatch.setattr(engines, "spec", lambda name: SPEC if name == "listener" else real_spec(name))


@pytest.fixture
def work(store, storage):
    """Run what is queued, as a worker does."""
    house = House.of(store.database, storage)
    runner = Runner(house, worker_id="wrk_1", queues=["cpu"], catalogue=Catalogue())
    return runner.work


def submit(api: Api, **params) -> str:
    answer = api.post("/v1/jobs", json={"engine": "listener", "params": params})
    assert answer.status_code == 202, answer.text
    return str(answer.json["id"])


def bytes_of(api: Api, file: dict) -> bytes:
    return api.get(f"/v1/files/{file['id']}/content").data


def test_an_upload_is_what_its_bytes_are(api):
    song = api.upload(sound("mp3"), "holiday.jpg").json
    assert (song["media_type"], song["seconds"]) == ("audio/mpeg", 2.0)
    assert (song["width"], song["text"]) == (None, None)
    film = api.upload(sound("mp4"), "film.txt").json
    assert (film["media_type"], film["width"], film["height"]) == ("video/mp4", 64, 48)
    words = api.upload(HAIKU.encode(), "poem").json
    assert (words["media_type"], words["seconds"]) == ("text/plain", None)
    assert api.get(f"/v1/files/{song['id']}").json["seconds"] == 2.0
    assert [file["seconds"] for file in api.get("/v1/files").json["files"]] == [None, film["seconds"], 2.0]
    assert bytes_of(api, song) == sound("mp3")


@pytest.mark.parametrize(
    ("data", "name", "shown", "kind"),
    [
        (sound("mp3"), "", "audio.mp3", "inline"),
        (sound("mp4"), "..", "video.mp4", "inline"),
        (HAIKU.encode(), "..", "text.txt", "attachment"),
    ],
    ids=["song", "film", "text"],
)
def test_one_without_a_name_gets_one_and_is_played_or_saved(api, data, name, shown, kind):
    answer = api.post("/v1/files", data={"file": (io.BytesIO(data), name or "/")})
    assert answer.json["name"] == shown
    content = api.get(f"/v1/files/{answer.json['id']}/content")
    assert content.headers["Content-Disposition"].startswith(kind)
    assert content.content_type.startswith(answer.json["media_type"])


def test_what_is_missing_of_a_song_is_told(api):
    whole = sound("mp3", seconds=6.0)
    song = api.upload(whole[: len(whole) // 2]).json
    assert song["seconds"] == pytest.approx(3.0, abs=0.1)
    assert song["meta"] == {"declared_seconds": 6.0}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (silent_film(), "no_sound"),
        (sound("wav", seconds=0.1), "audio_too_short"),
        (endless(), "audio_too_long"),
        (sound("m4a")[:9000], "broken_audio"),
        (sound("m4a").replace(b"mp4a", b"drms"), "protected_audio"),
        (b"MThd\0\0\0\6\0\1\0\1\0\x60", "unsupported_file_type"),
        (b"caf\xe9", "broken_text"),
        (b" \n", "empty_text"),
        (b"a" * 60_000, "text_too_large"),
    ],
    ids=["silent", "short", "long", "cut", "protected", "midi", "latin-1", "blank", "line"],
)
def test_what_is_wrong_with_an_upload_has_a_code(api, data, code):
    found = problem(api.upload(data, "song.mp3"), 422, code)
    assert found["errors"][0]["field"] == "file"
    assert api.get("/v1/files").json["files"] == []


def test_a_song_and_a_text_by_id_come_back_as_results(api, work):
    song, words = api.upload(sound("mp3")).json["id"], api.upload(HAIKU.encode()).json["id"]
    job_id = submit(api, song=song, words=words)
    assert work() == 1
    job = api.get(f"/v1/jobs/{job_id}?wait=5").json
    assert job["state"] == "succeeded"
    by_name = {file["name"]: file for file in job["artifacts"]}
    assert (by_name["song.mp3"]["media_type"], by_name["song.mp3"]["seconds"]) == ("audio/mpeg", 2.0)
    assert bytes_of(api, by_name["song.mp3"]) == sound("mp3")
    assert by_name["words.txt"]["text"] == HAIKU
    assert by_name["song.mp3"]["text"] is None
    assert by_name["long.txt"]["size"] > 4096
    assert by_name["long.txt"]["text"] is None  # whoever wants it reads the file


def test_the_events_of_such_a_job_end_with_it(api, work):
    job_id = submit(api, words=data_uri(HAIKU.encode(), "text/plain"))
    work()
    events = api.get(f"/v1/jobs/{job_id}/events").text
    assert "event: done" in events
    assert json.loads(events.split("data: ")[-1].split("\n")[0])["state"] == "succeeded"


def test_both_come_with_the_request_itself(api, work):
    form = {
        "engine": "listener",
        "song": (io.BytesIO(sound("ogg")), "song.png"),
        "words": (io.BytesIO(HAIKU.encode()), "words.mp3"),
    }
    answer = api.post("/v1/jobs", data=form)
    assert answer.status_code == 202, answer.text
    stored = {name: answer.json["params"][name] for name in ("song", "words")}
    found = {name: api.get(f"/v1/files/{one}").json["media_type"] for name, one in stored.items()}
    assert found == {"song": "audio/ogg", "words": "text/plain"}
    work()
    job = api.get(f"/v1/jobs/{answer.json['id']}").json
    assert [file["name"] for file in job["artifacts"]] == ["song.mp3", "words.txt", "long.txt"]


def test_both_come_from_a_url(api, work, monkeypatch):
    behind = {"https://example.org/song": sound("mp3"), "https://example.org/words": HAIKU.encode()}
    monkeypatch.setattr("workers.context.fetch", lambda url, path, **_: path.write_bytes(behind[url]))
    job_id = submit(api, song="https://example.org/song", words="https://example.org/words")
    work()
    job = api.get(f"/v1/jobs/{job_id}").json
    assert job["state"] == "succeeded"
    assert job["artifacts"][1]["text"] == HAIKU


@pytest.mark.parametrize(
    ("field", "data", "code"),
    [
        ("song", picture(), "unsupported_audio_type"),
        ("words", picture(), "unsupported_text_type"),
        ("cover", sound("mp3"), "unsupported_image_type"),
        ("cover", HAIKU.encode(), "unsupported_image_type"),
    ],
    ids=["picture-for-song", "picture-for-words", "song-for-cover", "words-for-cover"],
)
def test_a_field_takes_its_own_family_in_every_way(api, field, data, code):
    sent = api.post("/v1/jobs", data={"engine": "listener", field: (io.BytesIO(data), "file")})
    assert problem(sent, 422, code)["errors"][0]["field"] == field
    written = api.post("/v1/jobs", json={"engine": "listener", "params": {field: data_uri(data)}})
    assert problem(written, 422, code)["errors"][0]["field"] == field
    stored = api.upload(data).json["id"]
    named = api.post("/v1/jobs", json={"engine": "listener", "params": {field: stored}})
    assert problem(named, 422, "wrong_media_type")["errors"][0]["field"] == field


def test_the_schema_and_the_document_say_what_is_taken(api):
    engine = api.get("/v1/engines/listener").json
    assert "audio/mpeg" in engine["files"]["song"]["accept"]
    assert engine["files"]["words"] == {"accept": ["text/plain"], "multiple": False}
    schemas = api.get("/openapi.json").json["components"]["schemas"]
    about = schemas["FileUpload"]["properties"]["file"]["description"]
    assert all(one in about for one in ("image/png", "audio/mpeg", "video/mp4", "text/plain"))
    assert {"seconds", "text"} <= schemas["ArtifactView"]["properties"].keys()
