"""What is sent, what becomes of the answer, what is paid, and each failure of a service."""

from __future__ import annotations

import json
import time

import pytest

from engines import providers
from engines.base import Away, BadInput, BudgetUsedUp, Interrupted
from engines.circuit import FAILURES
from engines.prompts.answers import AnswerRefused, ProviderMisconfigured, ProviderRefused, WrongAnswer
from engines.prompts.asking import AnswerMisfit, AnswerTooLong
from engines.prompts.chat import MOST_BYTES
from tests.chat import KEY, breaks_off, completion, drips, fails, floods, hangs_up, refuses, says, sends

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.fixture
def ask(engine, context, params):
    """Run one job; its one output."""

    def run(**given):
        (output,) = engine.run(params(**given), context)
        return output

    return run


def test_a_text_comes_back_with_what_it_took(server, ask, context):
    server.will(says(" Hello.\n"))
    output = ask()
    assert (output.name, output.media_type, output.data) == ("answer.txt", "text/plain", b"Hello.\n")
    assert output.meta == {
        "seed": 7,
        "model": "tiny-chat-2026-11-01",
        "finish_reason": "stop",
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "answers": 1,
        "calls": 1,
    }
    assert (context.account.calls, context.account.tokens) == (1, 30)
    assert [report.message for report in context.reports][:1] == ["waiting for the answer"]


def test_what_is_sent(server, ask, context, tmp_path):
    context.files["art_1"] = tmp_path / "text"
    context.files["art_1"].write_bytes("\ufeffthird".encode())
    ask(instruction="first", text="second", document="art_1", language="de", temperature=0.5, max_tokens=9)
    assert server.requests == [
        {
            "model": "tiny-chat",
            "messages": [
                {"role": "system", "content": "Answer in the language with the tag de."},
                {"role": "user", "content": "first\n\nsecond\n\nthird"},
            ],
            "max_tokens": 9,
            "temperature": 0.5,
            "seed": 7,
        }
    ]


def test_what_is_not_given_is_not_sent(server, ask, monkeypatch):
    monkeypatch.setenv("ATELIER_CHAT_LENGTH_FIELD", "max_completion_tokens")
    ask()
    assert server.requests[0].keys() == {"model", "messages", "max_completion_tokens", "seed"}
    assert [message["role"] for message in server.requests[0]["messages"]] == ["user"]


def test_a_document_may_not_be_endless(server, ask, context, tmp_path):
    context.files["art_1"] = tmp_path / "text"
    context.files["art_1"].write_text("x" * 300_000)
    with pytest.raises(BadInput) as refused:
        ask(document="art_1")
    assert refused.value.field == "document"
    assert not server.heads


def test_an_answer_of_a_shape(server, ask):
    server.will(says('```json\n{"a": 1}\n```'))
    output = ask(answer_schema=SCHEMA)
    assert (output.name, output.media_type) == ("answer.json", "application/json")
    assert json.loads(output.data) == {"a": 1}
    assert server.requests[0]["response_format"]["json_schema"] == {"name": "answer", "schema": SCHEMA}
    assert json.dumps(SCHEMA) in server.requests[0]["messages"][0]["content"]


def test_an_answer_that_does_not_fit_is_asked_for_once_more(server, ask, context):
    server.will(says('{"a": "one"}'), says('{"a": 1}'))
    output = ask(answer_schema=SCHEMA)
    assert json.loads(output.data) == {"a": 1}
    assert (output.meta["answers"], output.meta["calls"], output.meta["prompt_tokens"]) == (2, 2, 40)
    assert (context.account.calls, context.account.tokens) == (2, 60)
    *_, said, again = server.requests[1]["messages"]
    assert said == {"role": "assistant", "content": '{"a": "one"}'}
    assert "integer" in again["content"]


def test_twice_is_enough_and_nothing_of_it_is_kept(server, ask, context):
    server.will(says("Sure!"), says("Here you are: {}"))
    with pytest.raises(AnswerMisfit, match="two tries"):
        ask(answer_schema=SCHEMA)
    assert len(server.requests) == 2
    assert context.account.answers == {}


def test_a_cut_answer_is_not_asked_for_again(server, ask, context):
    server.will(says('{"a": 1', "length"))
    with pytest.raises(AnswerTooLong, match="max_tokens"):
        ask(answer_schema=SCHEMA, max_tokens=5)
    assert len(server.requests) == 1
    assert context.account.answers == {}


def test_a_cut_text_is_a_text_and_says_so(server, ask):
    server.will(says("Once upon a", "length"))
    assert ask().meta["finish_reason"] == "length"


# --- paid once ------------------------------------------------------------------------------------------


def test_the_same_request_is_paid_once(server, ask, context):
    first, second = ask(), ask()
    assert first.data == second.data
    assert (first.meta["calls"], second.meta["calls"]) == (1, 0)
    assert (len(server.requests), context.account.calls, context.account.tokens) == (1, 1, 30)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 8},
        {"text": "more"},
        {"temperature": 1.0},
        {"max_tokens": 5},
        {"language": "pl"},
        {"cache": False},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_request_is_paid(server, ask, other):
    ask()
    ask(**other)
    assert len(server.requests) == 2


def test_another_service_is_asked_anew(server, ask, monkeypatch):
    ask()
    monkeypatch.setenv("ATELIER_CHAT_URL", server.url.replace("127.0.0.1", "localhost"))
    ask()
    assert len(server.requests) == 2


@pytest.mark.usefixtures("server")
def test_who_wants_nothing_kept_has_nothing_kept(ask, context):
    ask(cache=False)
    assert context.account.answers == {}


def test_a_repair_that_is_interrupted_pays_for_the_first_answer_once(server, ask):
    server.will(says("no json"), fails(503), says('{"a": 1}'))
    with pytest.raises(Away):
        ask(answer_schema=SCHEMA)
    assert ask(answer_schema=SCHEMA).meta["calls"] == 1
    assert len(server.requests) == 3


def test_a_used_up_budget_asks_nobody(server, ask, context):
    context.account.refuses = BudgetUsedUp("used up")
    with pytest.raises(BudgetUsedUp):
        ask()
    assert not server.heads


# --- failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "after"),
    [
        pytest.param(fails(429), None, id="429"),
        pytest.param(fails(429, retry_after="7"), 7, id="429-seconds"),
        pytest.param(fails(429, retry_after="Fri, 01 Jan 2021 00:00:00 GMT"), 0, id="429-date"),
        pytest.param(fails(429, retry_after="soon"), None, id="429-nonsense"),
        pytest.param(fails(500), None, id="500"),
        pytest.param(fails(503, retry_after="30"), 30, id="503-seconds"),
        pytest.param(sends(b"<html>Bad gateway</html>", "text/html", 502), None, id="502-html"),
        pytest.param(hangs_up(), None, id="hangs-up"),
        pytest.param(breaks_off(), None, id="breaks-off"),
        pytest.param(
            breaks_off(json.dumps(completion({"content": "hi"})).encode()), None, id="breaks-off-late"
        ),
    ],
)
def test_a_service_that_is_away_is_nobody_s_failure_and_not_paid(server, ask, context, way, after):
    server.will(way)
    with pytest.raises(Away) as away:
        ask()
    assert away.value.code == "provider_unavailable"
    assert away.value.retry_after == after
    assert (context.account.calls, context.account.tokens) == (0, 0)
    assert ask().data == b"fine\n"


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(sends(b"<html>Sign in</html>", "text/html"), id="html"),
        pytest.param(sends(b'{"choices": ['), id="half-json"),
        pytest.param(
            sends(json.dumps(completion({"content": "x"}) | {"choices": []}).encode()), id="no-choice"
        ),
        pytest.param(sends(b""), id="nothing"),
        pytest.param(says(""), id="empty"),
        pytest.param(floods(MOST_BYTES), id="flood"),
        pytest.param(sends(b"\x1f\x8b\x08\x00", content_encoding="gzip"), id="packed"),
        pytest.param(sends(b"", status=204), id="204"),
    ],
)
def test_what_the_protocol_does_not_know_is_tried_again_a_few_times(server, ask, way):
    server.will(way)
    with pytest.raises(WrongAnswer):
        ask()


@pytest.mark.parametrize(
    ("way", "error"),
    [
        pytest.param(fails(400, "context too long"), ProviderRefused, id="400"),
        pytest.param(fails(403), ProviderMisconfigured, id="403"),
        pytest.param(fails(404), ProviderMisconfigured, id="404"),
        pytest.param(fails(307, location="http://127.0.0.1:1/"), ProviderMisconfigured, id="redirect"),
        pytest.param(refuses("I would rather not."), AnswerRefused, id="refusal"),
        pytest.param(says("", "content_filter"), AnswerRefused, id="filter"),
    ],
)
def test_what_another_try_would_not_mend_fails(server, ask, context, way, error):
    server.will(way)
    with pytest.raises(error):
        ask()
    assert context.account.calls == 1
    assert context.account.answers == {}


@pytest.mark.usefixtures("server")
def test_nobody_there_at_all(ask, monkeypatch):
    monkeypatch.setenv("ATELIER_CHAT_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(Away, match="reached"):
        ask()


def test_a_service_that_drips_has_its_time(server, ask, monkeypatch):
    monkeypatch.setenv("ATELIER_CHAT_SECONDS", "0.4")
    server.will(drips())
    began = time.monotonic()
    with pytest.raises(Away, match=r"within 0\.4 seconds"):
        ask()
    assert time.monotonic() - began < 5


def test_a_job_that_must_stop_does_not_wait_for_the_answer(server, ask, context):
    server.will(drips())
    context.stop_at = 3
    began = time.monotonic()
    with pytest.raises(Interrupted):
        ask()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("gone", ["ATELIER_SECRET_CHAT", "ATELIER_CHAT_URL"])
def test_what_is_no_longer_set_up_gives_the_job_back(server, ask, monkeypatch, gone):
    monkeypatch.delenv(gone)
    if gone == "ATELIER_CHAT_URL":
        monkeypatch.delenv("ATELIER_CHAT_MODEL")
    with pytest.raises(Away):
        ask()
    assert not server.heads


def test_after_failures_in_a_row_nobody_is_asked(server, ask, context):
    server.will(*[fails(503)] * FAILURES)
    for _ in range(FAILURES):
        with pytest.raises(Away):
            ask()
    with pytest.raises(Away, match="left alone") as away:
        ask()
    assert away.value.retry_after is not None
    assert len(server.requests) == FAILURES
    assert context.account.calls == 0
    assert providers.needs_met() == ()


# --- the key ----------------------------------------------------------------------------------------------


def test_a_wrong_key_is_the_operator_s_to_mend(server, ask, monkeypatch):
    monkeypatch.setenv("ATELIER_SECRET_CHAT", "sk-wrong-planted")
    with pytest.raises(ProviderMisconfigured, match="mend") as refused:
        ask()
    assert "planted" not in str(refused.value)
    assert server.heads[0]["authorization"] == "Bearer sk-wrong-planted"


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(fails(400, f"no: {KEY}"), id="error"),
        pytest.param(refuses(f"never, {KEY}"), id="refusal"),
    ],
)
def test_a_key_that_is_said_back_goes_no_further(server, ask, way):
    server.will(way)
    with pytest.raises((ProviderRefused, AnswerRefused)) as refused:
        ask()
    assert KEY not in str(refused.value)
    assert "***" in str(refused.value)


def test_a_key_in_an_answer_neither(server, ask, context):
    server.will(says(f"your key is {KEY}"))
    output = ask()
    assert output.data == b"your key is ***\n"
    assert KEY not in json.dumps(context.account.answers)
