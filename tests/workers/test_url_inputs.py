"""What an engine gets for a URL: what its field takes, and nothing else."""

from __future__ import annotations

import io
from typing import Annotated

import pytest
from PIL import Image
from pydantic import Field

from doors.base import NotInspected
from engines.base import ArtifactField, AudioRef, ImageRef, Output, Params, TextRef
from tests.doors.sounds import sound

URL = "https://example.org/file"


class Wanting(Params):
    """One field of each kind."""

    png: Annotated[str, ArtifactField(("image/png",))] | None = Field(default=None, description="A PNG.")
    pictures: list[ImageRef] = Field(default=[], max_length=4, description="Any pictures.")
    song: AudioRef | None = Field(default=None, description="A sound.")
    words: TextRef | None = Field(default=None, description="A text.")


def picture(kind: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (4, 3)).save(made, kind)
    return made.getvalue()


@pytest.fixture
def run(bench, monkeypatch):
    """Run a job whose inputs are this file behind a URL; the job, and what the engine read."""

    def run(data: bytes, **params):
        asked, read = [], []

        def fetch(url, path, **more):
            asked.append((url, more["accept"]))
            path.write_bytes(data)

        def script(params, context):
            for ref in (params.png, *params.pictures, params.song, params.words):
                if ref is not None:
                    read.append(context.input(ref).read_bytes())
            yield Output("a.txt", "text/plain", b"done")

        monkeypatch.setattr("workers.context.fetch", fetch)
        return bench(script, params=Wanting).run(**params), read, asked

    return run


@pytest.mark.parametrize(
    ("data", "params"),
    [
        (picture("PNG"), {"png": URL}),
        (picture("JPEG"), {"pictures": [URL]}),
        (sound("mp3"), {"song": URL}),
        (sound("mp4"), {"song": URL}),
        ("a haiku, née".encode(), {"words": URL}),
    ],
    ids=["png", "pictures", "song", "film", "text"],
)
def test_a_field_gets_what_it_takes(run, data, params):
    job, read, asked = run(data, **params)
    assert (job.state, read) == ("succeeded", [data])
    ((url, accept),) = asked
    assert url == URL
    assert accept == accept_of(next(iter(params)))


def accept_of(name: str) -> tuple[str, ...]:
    accepts = {
        "png": ArtifactField(("image/png",)),
        "pictures": ImageRef.__metadata__[0],
        "song": AudioRef.__metadata__[0],
        "words": TextRef.__metadata__[0],
    }
    return accepts[name].accept


def test_a_png_field_refuses_a_jpeg_behind_a_url(run):
    job, read, _ = run(picture("JPEG"), png=URL)
    assert (job.state, job.error_code, job.attempt) == ("failed", "wrong_media_type", 1)
    assert job.error_detail == (
        "The file behind the URL cannot be used: This field takes image/png, not image/jpeg."
    )
    assert read == []


def test_where_two_fields_name_a_url_both_are_asked(run):
    job, read, _ = run(picture("PNG"), png=URL, pictures=[URL])
    assert (job.state, len(read)) == ("succeeded", 2)
    job, read, _ = run(picture("JPEG"), png=URL, pictures=[URL])
    assert (job.error_code, read) == ("wrong_media_type", [])
    job, read, _ = run(picture("PNG"), png=URL, song=URL)
    assert (job.error_code, read) == ("wrong_media_type", [])


@pytest.mark.parametrize(
    ("data", "params", "said"),
    [
        (picture("PNG"), {"song": URL}, "a picture, which cannot be used as a sound"),
        (sound("mp3"), {"pictures": [URL]}, "a sound file, which cannot be used as an image"),
        (b"<html>Sign in", {"words": URL}, "a web page"),
        (sound("m4a")[:9000], {"song": URL}, "cut off"),
    ],
    ids=["picture-for-song", "song-for-picture", "page-for-text", "cut-off"],
)
def test_what_the_door_refuses_is_bad_input(run, data, params, said):
    job, read, _ = run(data, **params)
    assert (job.state, job.error_code, read) == ("failed", "bad_input", [])
    assert said in job.error_detail


def test_what_could_not_be_looked_at_now_is_tried_again(run, monkeypatch):
    def inspect(*_args):
        raise NotInspected("no memory")

    monkeypatch.setattr("workers.context.door.inspect", inspect)
    job, _, _ = run(sound("mp3"), song=URL)
    assert (job.state, job.error_code) == ("queued", "transient")
