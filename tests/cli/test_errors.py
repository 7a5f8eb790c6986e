"""What is said of errors."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from cli.errors import CommandError, explained, in_words, of_file, readable, sentence, written
from client import JobFailed, NoServer, NotAtelier, Refused

URL = "http://127.0.0.1:9"


def test_a_problem_document_becomes_a_sentence():
    problem = {
        "detail": "The engine does not take these parameters.",
        "code": "invalid_params",
        "errors": [{"field": "style_weights", "message": "too many", "code": "too_long"}],
        "instance": "req_1",
    }

    with pytest.raises(CommandError) as caught, explained(URL):
        raise Refused(422, problem)

    assert caught.value.message.splitlines() == [
        "The engine does not take these parameters.",
        "  --style-weights: too many",
        "(request req_1)",
    ]


def test_nobody_there_and_somebody_else_there():
    assert in_words(NoServer("away"), URL).startswith(f"no server answers at {URL} (away).\nStart one")
    other = NotAtelier(f"{URL}/v1/engines answered 200, which is not Atelier's API.", 200)
    assert in_words(other, URL) == str(other)
    job = {"id": "job_1", "state": "canceled"}
    assert "job_1 canceled" in in_words(JobFailed(job), URL)


def test_what_is_no_error_of_the_server_s_passes():
    with pytest.raises(click.UsageError), explained(URL):
        raise click.UsageError("no")


@pytest.mark.parametrize(("door", "word"), [(written, "written"), (readable, "read")], ids=["out", "in"])
def test_a_file_that_cannot_be_is_a_sentence(door, word):
    with pytest.raises(CommandError, match=f"a.png cannot be {word}: Not a directory"), door(Path("a.png")):
        raise NotADirectoryError(20, "Not a directory")


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

    found = of_file(refused, "style_mask", "a.png")
    assert in_words(found, "") == "--style-mask a.png: No."
    assert found.code == "bad_file"


def test_an_upload_without_a_key_is_not_the_files_fault():
    refused = Refused(401, {"detail": "A key is needed."})

    assert of_file(refused, "style", "a.png") is refused
