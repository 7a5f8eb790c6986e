"""The tests' chat service is one: the real client of that protocol takes it for one, failures and all."""

from __future__ import annotations

import time
from collections.abc import Iterator

import openai
import pytest

from tests.chat import (
    KEY,
    MODEL,
    ChatServer,
    breaks_off,
    chat_server,
    drips,
    fails,
    floods,
    hangs_up,
    refuses,
    says,
    sends,
)

ASKED = [{"role": "user", "content": "hello"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


def client(server: ChatServer, **options) -> openai.OpenAI:
    given = {"base_url": server.url, "api_key": KEY, "max_retries": 0, "timeout": 10.0} | options
    return openai.OpenAI(**given)


def ask(server: ChatServer, *, model: str = MODEL, options=None, **more):
    with client(server, **(options or {})) as made:
        return made.chat.completions.create(model=model, messages=ASKED, **more)


def test_an_answer_is_understood(server):
    server.will(says("good day"))
    answer = ask(server, temperature=0.5, max_tokens=20, seed=7)
    (choice,) = answer.choices
    assert (choice.message.content, choice.finish_reason, choice.message.refusal) == (
        "good day",
        "stop",
        None,
    )
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        20,
        10,
        30,
    )
    assert server.requests[0]["seed"] == 7


def test_a_shape_is_asked_for_as_the_client_asks(server):
    server.will(says('{"a": 1}'))
    shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    assert ask(server, response_format=shape).choices[0].message.content == '{"a": 1}'
    with pytest.raises(openai.BadRequestError):
        ask(server, response_format={"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}})


def test_a_refusal_is_one(server):
    server.will(refuses("I would rather not."))
    message = ask(server).choices[0].message
    assert (message.content, message.refusal) == (None, "I would rather not.")


@pytest.mark.parametrize(
    ("way", "error"),
    [
        pytest.param(fails(400), openai.BadRequestError, id="400"),
        pytest.param(fails(403), openai.PermissionDeniedError, id="403"),
        pytest.param(fails(429), openai.RateLimitError, id="429"),
        pytest.param(fails(500), openai.InternalServerError, id="500"),
        pytest.param(fails(503), openai.InternalServerError, id="503"),
        pytest.param(hangs_up(), openai.APIConnectionError, id="hangs-up"),
        pytest.param(breaks_off(), openai.APIConnectionError, id="breaks-off"),
        pytest.param(sends(b"{", media_type="application/json"), ValueError, id="no-json"),
    ],
)
def test_each_failure_is_what_it_is_meant_to_be(server, way, error):
    server.will(way)
    with pytest.raises(error):
        ask(server)


def test_a_wrong_key_and_a_model_there_is_not(server):
    with pytest.raises(openai.AuthenticationError):
        ask(server, options={"api_key": "wrong"})
    with pytest.raises(openai.NotFoundError):
        ask(server, model="large-chat")
    with pytest.raises(openai.BadRequestError):
        ask(server, extra_body={"no_such_field": 1})


def test_who_is_asked_to_come_back_later_does(server):
    server.will(fails(429, retry_after="1"), says("now"))
    began = time.monotonic()
    assert ask(server, options={"max_retries": 1}).choices[0].message.content == "now"
    assert time.monotonic() - began >= 0.9


def test_drops_are_not_an_answer(server):
    server.will(drips(pause=0.05, seconds=1.0))
    with pytest.raises(openai.APIError):
        ask(server, options={"timeout": 0.5})


def test_a_flood_is_whole(server):
    server.will(floods(3_000_000))
    assert len(ask(server).choices[0].message.content) == 3_000_000
