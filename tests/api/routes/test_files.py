"""/v1/files: the upload door, and what becomes of what came in by it."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib

import pytest
from PIL import Image

from doors.image_types import FORMATS
from tests.api.helpers import Api, claim, data_uri, picture, problem

ROUTES = [("GET", ""), ("GET", "/content"), ("DELETE", "")]


def animation() -> bytes:
    stream = io.BytesIO()
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def bomb() -> bytes:
    """A PNG that claims 60,000 x 60,000 pixels."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("kind", "media_type"), FORMATS.items())
def test_an_image_is_taken_and_given_back(api, kind, media_type):
    data = picture(kind=kind)
    answer = api.upload(data, "whatever.exe")
    assert answer.status_code == 201, answer.text
    file = answer.json
    assert answer.headers["Location"] == f"/v1/files/{file['id']}"
    assert file["media_type"] == media_type
    assert (file["width"], file["height"], file["size"]) == (48, 32, len(data))
    assert file["sha256"] == hashlib.sha256(data).hexdigest()
    assert file["job_id"] is None
    content = api.get(f"/v1/files/{file['id']}/content")
    assert content.data == data
    assert content.content_type == file["media_type"]
    assert content.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in content.headers["Content-Security-Policy"]
    assert api.get(answer.headers["Location"]).json["sha256"] == file["sha256"]


def test_a_rotated_photo_is_measured_upright(api):
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    Image.new("RGB", (48, 32)).save(stream, "JPEG", exif=exif)
    file = api.upload(stream.getvalue()).json
    assert (file["width"], file["height"]) == (32, 48)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "unsupported_file_type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_file_type"),
        (b"<html><script>alert(1)</script></html>", "unsupported_file_type"),
        (b"\x89PNG\r\n\x1a\n", "broken_image"),
        (picture()[:60], "broken_image"),
        (picture(kind="JPEG", width=400, height=400)[:700], "broken_image"),
        (animation(), "animated_image"),
        (bomb(), "image_too_large"),
    ],
)
def test_what_is_no_usable_file_is_refused(api, data, code):
    found = problem(api.upload(data, "x.png"), 422, code)
    assert found["errors"][0]["field"] == "file"
    assert api.get("/v1/files").json["files"] == []


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("é cat\x07\u202e.png", "é cat.png"),
        ("..", "image.png"),
        ('quote".png', None),
        ("x" * 500 + ".png", None),
    ],
)
def test_file_names_are_harmless(api, sent, shown):
    file = api.upload(name=sent).json
    assert shown is None or file["name"] == shown
    assert len(file["name"]) <= 120
    disposition = api.get(f"/v1/files/{file['id']}/content").headers["Content-Disposition"]
    assert disposition.startswith('inline; filename="')
    assert disposition.isascii()
    assert disposition.isprintable()
    assert disposition.count('"') == 2


def test_the_field_may_be_called_content_and_must_be_there(api):
    assert api.post("/v1/files", data={"content": (io.BytesIO(picture()), "a.png")}).status_code == 201
    problem(api.post("/v1/files", data={"picture": (io.BytesIO(picture()), "a.png")}), 422, "missing")
    problem(api.post("/v1/files", data=picture(), content_type="image/png"), 415, "unsupported_media_type")
    problem(api.post("/v1/files", data=b"", content_type="multipart/form-data"), 422, "missing")


@pytest.fixture
def content(api) -> str:
    return f"/v1/files/{api.upload().json['id']}/content"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_another_owners_file_is_a_404(api, other, method, path):
    file_id = api.upload().json["id"]
    problem(other.request(method, f"/v1/files/{file_id}{path}"), 404, "not_found")
    assert api.get(f"/v1/files/{file_id}").status_code == 200


def test_an_admin_reads_and_deletes_anybodys_file_but_makes_nothing_of_it(api, admin):
    file_id = api.upload().json["id"]
    assert admin.get(f"/v1/files/{file_id}").json["id"] == file_id
    assert admin.get(f"/v1/files/{file_id}/content").data == picture()
    body = {"engine": "neural_style", "params": {"content": file_id, "style": file_id}}
    problem(admin.post("/v1/jobs", json=body), 422, "file_not_found")
    assert admin.delete(f"/v1/files/{file_id}").status_code == 204
    problem(api.get(f"/v1/files/{file_id}"), 404, "not_found")


@pytest.mark.parametrize("file_id", ["art_" + "0" * 32, "art_x", "job_" + "0" * 32, "%00"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_unknown_files_are_404(api, method, path, file_id):
    problem(api.request(method, f"/v1/files/{file_id}{path}"), 404, "not_found")


def test_deleting(api, content):
    file = content.removesuffix("/content")
    assert api.delete(file).status_code == 204
    problem(api.get(content), 404, "not_found")
    problem(api.delete(file), 404, "not_found")


def test_the_list_pages(api, other):
    ids = [api.upload().json["id"] for _ in range(3)]
    other.upload()
    first = api.get("/v1/files?limit=2").json
    second = api.get(f"/v1/files?limit=2&cursor={first['next_cursor']}").json
    assert [f["id"] for f in first["files"] + second["files"]] == ids[::-1]
    assert second["next_cursor"] is None


def test_a_body_over_the_limit_is_a_413(make_app, make_key):
    app = make_app(max_upload_bytes=5000)
    api, roomy = Api(app, make_key()), Api(app, make_key(max_upload_bytes=200_000))
    noise = Image.effect_noise((200, 200), 90)
    stream = io.BytesIO()
    noise.save(stream, "PNG")
    problem(api.upload(stream.getvalue()), 413, "too_large")
    assert roomy.upload(stream.getvalue()).status_code == 201
    body = {"engine": "neural_style", "params": {"content": data_uri(stream.getvalue()), "style": "art_0"}}
    problem(api.post("/v1/jobs", json=body), 413, "too_large")


def test_a_form_field_that_is_no_file_stays_small(api):
    head = b'--b\r\nContent-Disposition: form-data; name="params"\r\n\r\n'
    answer = api.post(
        "/v1/jobs",
        data=head + b"x" * 2_000_000 + b"\r\n--b--",
        content_type="multipart/form-data; boundary=b",
    )
    problem(answer, 413, "too_large")


def test_a_file_of_a_running_job_stays(api, store):
    file_id = api.upload().json["id"]
    api.post("/v1/jobs", json={"engine": "neural_style", "params": {"content": file_id, "style": file_id}})
    claim(store, "gpu")
    problem(api.delete(f"/v1/files/{file_id}"), 409, "in_use")


def test_public_url_goes_before_content_urls(make_app, make_key):
    api = Api(make_app(public_url="https://art.example"), make_key())
    assert api.upload().json["url"].startswith("https://art.example/v1/files/")
