"""The client: streams that break, servers that are away, problems in words."""

from __future__ import annotations

import json

import httpx
import pytest

from cli import client as module
from cli.client import Client, event_data
from cli.errors import CommandError, NoServer, Refused, sentence


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)


def event(version: int, state: str = "running", progress: float = 0.0) -> dict[str, object]:
    return {
        "job_id": "job_1",
        "version": version,
        "state": state,
        "attempt": 1,
        "progress": progress,
        "message": "",
        "preview_url": None,
    }


def stream(*events: dict[str, object]) -> httpx.Response:
    text = ": hello\n\n" + "".join(
        f"event: progress\nid: {e['version']}\ndata: {json.dumps(e)}\n\n" for e in events
    )
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=text)


def against(handler) -> Client:
    return Client("http://127.0.0.1:1", "atl_key", transport=httpx.MockTransport(handler))


def test_a_broken_stream_is_taken_up_where_it_broke():
    seen = []

    def handler(request):
        seen.append(request.headers.get("last-event-id"))
        return stream(event(1), event(2)) if len(seen) == 1 else stream(event(3, "succeeded"))

    with against(handler) as client:
        versions = [e["version"] for e in client.watch("job_1")]

    assert versions == [1, 2, 3]
    assert seen == [None, "2"]


def test_a_stream_that_never_speaks_is_replaced_by_polling():
    versions = iter([4, 5, 6])

    def handler(request):
        if request.url.path.endswith("/events"):
            return httpx.Response(503, json={"detail": "no", "code": "unavailable"})
        version = next(versions)
        return httpx.Response(
            200, json={**event(version, "succeeded" if version == 6 else "running"), "id": "job_1"}
        )

    with against(handler) as client:
        assert [e["version"] for e in client.watch("job_1")] == [4, 5, 6]


def test_a_server_that_stays_away_ends_the_wait(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)

    def handler(request):
        raise httpx.ConnectError("refused", request=request)

    with against(handler) as client, pytest.raises(NoServer, match="atelier up"):
        list(client.watch("job_1"))


def test_a_job_that_is_not_there_is_not_waited_for():
    with (
        against(lambda _request: httpx.Response(404, json={"detail": "gone", "code": "not_found"})) as client,
        pytest.raises(Refused) as caught,
    ):
        list(client.watch("job_1"))
    assert caught.value.code == "not_found"


def test_a_problem_document_becomes_a_sentence():
    problem = {
        "detail": "The engine does not take these parameters.",
        "code": "invalid_params",
        "errors": [{"field": "style_weights", "message": "too many", "code": "too_long"}],
        "instance": "req_1",
    }

    with (
        against(lambda _request: httpx.Response(422, json=problem)) as client,
        pytest.raises(Refused) as caught,
    ):
        client.submit("echo", {})

    assert caught.value.message.splitlines() == [
        "The engine does not take these parameters.",
        "  --style-weights: too many",
        "(request req_1)",
    ]


PLAIN = "The engine does not take these parameters."
DETAIL = f"{PLAIN[:-1]}; `errors` says which and why."


@pytest.mark.parametrize(
    ("detail", "errors", "expected"),
    [
        (DETAIL, [("style_weights", "too many")], [PLAIN, "  --style-weights: too many"]),
        ("style_weights: too many", [("style_weights", "too many")], ["--style-weights: too many"]),
        (
            DETAIL,
            [("style.0", "bad"), ("mix.fine", "bad")],
            [PLAIN, "  --style (1): bad", "  --mix (fine): bad"],
        ),
        (DETAIL, [("json", "bad")], [PLAIN, "  --param-json: bad"]),
        ("Late.", [("start_by", "It has passed.")], ["Late.", "  --start-by: It has passed."]),
        ("a needs b", [("", "a needs b")], ["a needs b"]),
        (
            "There is no file art_1.",
            [("style", "There is no file art_1.")],
            ["--style: There is no file art_1."],
        ),
        ("No.", [], ["No."]),
    ],
)
def test_a_fault_names_the_option(detail, errors, expected):
    found = sentence(422, {"detail": detail, "errors": [{"field": f, "message": m} for f, m in errors]})

    assert found.splitlines() == expected


@pytest.mark.parametrize("status", [413, 422])
def test_a_refused_upload_is_said_of_its_option(status):
    refused = Refused(
        status, {"code": "bad_file", "detail": "No.", "errors": [{"field": "file", "message": "No."}]}
    )

    assert refused.of_file("style_mask", "a.png").message == "--style-mask a.png: No."
    assert refused.of_file("style_mask", "a.png").code == "bad_file"


def test_an_upload_without_a_key_is_not_the_files_fault():
    refused = Refused(401, {"detail": "A key is needed."})

    assert refused.of_file("style", "a.png") is refused


def test_something_that_is_not_our_api_is_recognised():
    with (
        against(lambda _request: httpx.Response(200, text="<html>")) as client,
        pytest.raises(Refused, match="not Atelier"),
    ):
        client.engines()


def test_a_download_appears_in_one_step_and_keeps_the_key_at_home(tmp_path):
    def handler(request):
        assert request.headers["authorization"] == "Bearer atl_key"
        return httpx.Response(200, content=b"bytes")

    with against(handler) as client:
        client.download("/v1/files/art_1/content?signature=x", tmp_path / "out" / "a.png")
        with client._plain("http://objects.example.org/a") as other:
            assert "authorization" not in other.headers
    assert other.is_closed

    assert (tmp_path / "out" / "a.png").read_bytes() == b"bytes"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_a_target_that_cannot_be_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with (
        against(lambda _request: httpx.Response(200, content=b"bytes")) as client,
        pytest.raises(CommandError, match="cannot be written"),
    ):
        client.download("/x", tmp_path / "file" / "a.png")


def test_a_refused_download_leaves_nothing(tmp_path):
    with (
        against(lambda _request: httpx.Response(410, json={"detail": "expired", "code": "gone"})) as client,
        pytest.raises(Refused),
    ):
        client.download("/x", tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_events_of_several_lines():
    lines = ["event: state", "data: a", "data: b", "", ": comment", "", "data:c", ""]

    assert list(event_data(iter(lines))) == ["a\nb", "c"]
