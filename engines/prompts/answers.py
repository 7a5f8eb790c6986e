"""What a chat service answers, as its protocol has it, and what goes wrong there.

Away                     it is not there, or wants to be asked later: the job waits
WrongAnswer              it answers something else than its protocol says: worth another try
ProviderMisconfigured    it refuses the key, the address or the model: the operator has to mend that
ProviderRefused          it refuses this request
AnswerRefused            the model does not want to answer it
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

from engines.base import Away, EngineError, Transient

#: Of others' words, in an error of ours.
_MOST_SAID = 300
#: More than any model's context.
_MOST_TOKENS = 10**8
_MEND = ": whoever runs this studio has to mend it."
_TRY_LATER = {408, 409, 425, 429}


class WrongAnswer(Transient):
    """The service answers something else than the protocol says."""

    code = "provider_answer_unusable"


class ProviderMisconfigured(EngineError):
    """The service is not set up as it should be here; nobody but the operator can mend that."""

    code = "provider_misconfigured"


class ProviderRefused(EngineError):
    """The service refuses this request."""

    code = "provider_refused"


class AnswerRefused(EngineError):
    """The model does not want to answer, or its service does not want to pass the answer on."""

    code = "answer_refused"


@dataclass(frozen=True)
class Answer:
    """One answer."""

    text: str
    #: Why there is no text: the model's own words.
    refusal: str
    model: str
    #: Why it ends where it ends: stop, length, content_filter, ...
    finish: str
    prompt_tokens: int
    completion_tokens: int

    @property
    def tokens(self) -> int:
        """What is paid for."""
        return self.prompt_tokens + self.completion_tokens

    def dumped(self) -> str:
        """As text, for `loaded`."""
        return json.dumps(asdict(self))

    @classmethod
    def loaded(cls, text: str) -> Self:
        """What was dumped."""
        return cls(**json.loads(text))


def answer(body: bytes, asked: int) -> Answer:
    """What a body says; `asked`: the characters of the request. Raises WrongAnswer."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WrongAnswer("The service chat did not answer with JSON.") from error
    try:
        choice = told["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        text, refusal = message.get("content") or "", message.get("refusal") or ""
        model, usage = told.get("model"), told.get("usage")
    except (LookupError, TypeError, AttributeError) as error:
        raise WrongAnswer("The service chat answered without a choice.") from error
    if not isinstance(text, str) or not isinstance(refusal, str):
        raise WrongAnswer("The service chat answered with something that is no text.")
    if not text.strip() and not refusal and finish != "content_filter":
        raise WrongAnswer("The service chat gave an empty answer.")
    counted = usage if isinstance(usage, Mapping) else {}
    return Answer(
        text=_storable(text),
        refusal=_storable(refusal),
        model=_storable(str(model or ""))[:100],
        finish=_storable(str(finish or ""))[:40],
        # Where it does not say: four characters each, as is usual.
        prompt_tokens=_count(counted.get("prompt_tokens"), asked // 4),
        completion_tokens=_count(counted.get("completion_tokens"), len(text) // 4),
    )


def failure(status: int, headers: Mapping[str, str], body: bytes) -> EngineError:
    """What another status than 200 means."""
    if status in _TRY_LATER or status >= 500:
        return Away(
            f"The service chat answered {status}.", retry_after=retry_after(headers.get("retry-after", ""))
        )
    if status < 300:
        return WrongAnswer(f"The service chat answered {status}, which its protocol does not know.")
    if status in (401, 403):  # without what it says: some repeat the key
        return ProviderMisconfigured(f"The service chat does not take this studio's key ({status}){_MEND}")
    if status < 400:
        return ProviderMisconfigured(f"The service chat sends elsewhere ({status}){_MEND}")
    if status in (404, 405):
        return ProviderMisconfigured(f"The service chat has not this address or model ({status}){_MEND}")
    said = _said(body)
    return ProviderRefused(f"The service chat refuses this request ({status}){f': {said}' if said else '.'}")


def retry_after(text: str) -> float | None:
    """Seconds, of a header Retry-After: a number of them, or a date."""
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?", text):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    then = then if then.tzinfo is not None else then.replace(tzinfo=UTC)
    return max((then - datetime.now(UTC)).total_seconds(), 0.0)


def _said(body: bytes) -> str:
    """The message of an error, as the protocol has it."""
    try:
        told = json.loads(body)["error"]["message"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    return _storable(told)[:_MOST_SAID] if isinstance(told, str) else ""


def _storable(text: str) -> str:
    """Without what a database or a file does not take: U+0000, halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _count(value: Any, otherwise: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return min(value, _MOST_TOKENS)
    return otherwise
