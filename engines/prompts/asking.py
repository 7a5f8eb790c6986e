"""One job: what is asked, what is paid for, and what its answer becomes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from engines.base import Away, BadInput, Context, EngineError, Output
from engines.circuit import Circuit
from engines.prompts.answers import Answer, AnswerRefused
from engines.prompts.chat import Chat
from engines.prompts.fitting import Misfit, fitting
from engines.prompts.spec import MOST_TEXT, PromptsParams
from engines.providers import Provider

Request = dict[str, Any]

#: How often who waits looks whether the job must stop.
LOOK_SECONDS = 0.5
#: How far a job has come while it waits for its first answer, and for a second one.
_FIRST, _SECOND = 0.1, 0.6


class AnswerMisfit(EngineError):
    """The model's answer, and its second try, are not of the shape that was asked for."""

    code = "answer_does_not_fit"


class AnswerTooLong(EngineError):
    """The answer ends in the middle, because it may not be longer; allow more tokens."""

    code = "answer_too_long"


class Asking:
    """One job's asking."""

    def __init__(
        self, params: PromptsParams, context: Context, provider: Provider, chat: Chat, circuit: Circuit
    ) -> None:
        self._params = params
        self._context = context
        self._provider = provider
        self._chat = chat
        self._circuit = circuit
        self._ledger = context.ledger(
            provider.name, calls_per_day=provider.calls_per_day, tokens_per_day=provider.tokens_per_day
        )
        #: Answers that this job used, by their request, and how many of them were asked for now.
        self._used: dict[str, Answer] = {}
        self._calls = 0

    async def output(self) -> Output:
        """Its one result. Raises EngineError and Interrupted."""
        request = self._request()
        first = await self._answer(request, _FIRST, "waiting for the answer")
        if self._params.answer_schema is None:
            return self._made("answer.txt", "text/plain", f"{first.text.strip()}\n".encode(), first)
        try:
            data = fitting(self._params.answer_schema, first.text)
        except Misfit as error:
            return await self._repaired(request, self._params.answer_schema, first, error)
        return self._made("answer.json", "application/json", data, first)

    async def _repaired(
        self, request: Request, schema: Mapping[str, Any], first: Answer, why: Misfit
    ) -> Output:
        """The second and last try at an answer of that shape."""
        self._not_cut(first)
        again = f"That is not what was asked for: {why}. Answer again, with the whole corrected JSON alone."
        said = [{"role": "assistant", "content": first.text}, {"role": "user", "content": again}]
        second = await self._answer(
            request | {"messages": [*request["messages"], *said]}, _SECOND, "asking once more"
        )
        try:
            data = fitting(schema, second.text)
        except Misfit as error:
            self._not_cut(second)
            self._forget()
            raise AnswerMisfit(
                f"The model's answer is not of the shape that was asked for, in two tries: {error}."
            ) from error
        return self._made("answer.json", "application/json", data, second)

    def _not_cut(self, answer: Answer) -> None:
        if answer.finish == "length":
            self._forget()
            raise AnswerTooLong(
                f"The answer is longer than max_tokens ({self._params.max_tokens}): it is no JSON so far."
            )

    def _forget(self) -> None:
        """What came to nothing is not given again to who tries the job again."""
        for digest in self._used:
            self._ledger.forget(digest)

    async def _answer(self, request: Request, fraction: float, message: str) -> Answer:
        digest = hashlib.sha256(
            json.dumps([self._provider.url, request], sort_keys=True).encode()
        ).hexdigest()
        kept = self._ledger.recall(digest) if self._params.cache else None
        answer = Answer.loaded(kept) if kept is not None else None
        if answer is None:
            answer = await self._paid(request, fraction, message)
            if self._params.cache and not answer.refusal and answer.text.strip():
                self._ledger.remember(digest, answer.dumped())
            self._ledger.spend(tokens=answer.tokens)
        self._used[digest] = answer
        if answer.refusal:
            raise AnswerRefused(f"The model does not answer this: {answer.refusal[:300]}")
        if not answer.text.strip():
            raise AnswerRefused("The service chat withholds the answer: its filter for contents took it.")
        return answer

    async def _paid(self, request: Request, fraction: float, message: str) -> Answer:
        self._ledger.spend(calls=1)
        try:
            with self._circuit.call():
                answer = await self._waited(request, fraction, message)
        except Away:
            self._ledger.spend(calls=-1)
            raise
        self._calls += 1
        return answer

    async def _waited(self, request: Request, fraction: float, message: str) -> Answer:
        """The answer, unless the job must stop before."""
        self._context.progress(fraction, message)
        coming = asyncio.ensure_future(self._chat.ask(request))
        try:
            while not coming.done():
                await asyncio.wait({coming}, timeout=LOOK_SECONDS)
                self._context.progress(fraction, message)
            return coming.result()
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError, EngineError):
                await coming

    def _request(self) -> Request:
        params = self._params
        rules = []
        if params.language is not None:
            rules.append(f"Answer in the language with the tag {params.language}.")
        if params.answer_schema is not None:
            shape = json.dumps(params.answer_schema)
            rules.append(f"Answer with JSON alone, valid against this JSON Schema, without a fence:\n{shape}")
        parts = [params.instruction, params.text, self._document()]
        request: Request = {
            "model": self._provider.model,
            "messages": [
                *([{"role": "system", "content": "\n".join(rules)}] if rules else []),
                {"role": "user", "content": "\n\n".join(part for part in parts if part)},
            ],
            self._provider.length_field: params.max_tokens,
            "seed": params.seed,
        }
        if params.temperature is not None:
            request["temperature"] = params.temperature
        if params.answer_schema is not None:
            request["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": params.answer_schema},
            }
        return request

    def _document(self) -> str:
        if self._params.document is None:
            return ""
        text = _start(self._context.input(self._params.document))
        if len(text) > MOST_TEXT:
            raise BadInput(f"The document has more than {MOST_TEXT} characters.", field="document")
        return text

    def _made(self, name: str, media_type: str, data: bytes, last: Answer) -> Output:
        used = self._used.values()
        meta = {
            "seed": self._params.seed,
            "model": last.model,
            "finish_reason": last.finish,
            "prompt_tokens": sum(one.prompt_tokens for one in used),
            "completion_tokens": sum(one.completion_tokens for one in used),
            # Fewer calls than answers: the others were kept, and cost nothing.
            "answers": len(used),
            "calls": self._calls,
        }
        return Output(name, media_type, data, meta=meta)


def _start(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as stream:
        return stream.read(MOST_TEXT + 1)
