"""What an HTTP answer says: a JSON object, or an error. Nothing in it is trusted to be well made."""

from __future__ import annotations

import json
from typing import TypeVar

import httpx

from client.calls.base import Call
from client.errors import ApiError, Json, NoServer, NotAtelier, NotFound, TimedOut, refused

T = TypeVar("T")


def read(call: Call[T], answer: httpx.Response) -> T:
    """What was asked for. Raises NotAtelier and Refused."""
    if not answer.is_success:
        raise error_of(answer)
    found = _object(answer.content) if answer.content else {}
    if found is None:
        raise _stranger(answer)
    try:
        return call.read(found)
    except (KeyError, TypeError, ValueError) as error:
        raise _stranger(answer) from error


def error_of(answer: httpx.Response) -> ApiError:
    """What an answer that is no success says; its content has been read."""
    if answer.is_redirect:
        return NotAtelier(
            f"{_where(answer)} sends to {answer.headers.get('Location', 'nowhere')}; use that URL.",
            answer.status_code,
        )
    problem = _object(answer.content)
    if problem is None or not isinstance(problem.get("code"), str):
        return _stranger(answer)
    seconds = answer.headers.get("Retry-After", "")
    if "retry_after" not in problem and seconds.isascii() and seconds.isdigit() and len(seconds) < 10:
        problem["retry_after"] = int(seconds)
    return refused(answer.status_code, problem)


def was_done(call: Call[T], error: ApiError, tried: int) -> bool:
    """Whether an earlier try, whose answer was lost, did it: what was deleted is gone."""
    return tried > 1 and call.method == "DELETE" and isinstance(error, NotFound)


def lost(error: httpx.RequestError) -> NoServer:
    """Why there is no answer, in words for people."""
    if isinstance(error, httpx.TimeoutException):
        return TimedOut("it does not answer in time")
    return NoServer(str(error) or type(error).__name__)


def _object(content: bytes) -> Json | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _stranger(answer: httpx.Response) -> NotAtelier:
    status = answer.status_code
    return NotAtelier(f"{_where(answer)} answered {status}, which is not Atelier's API.", status)


def _where(answer: httpx.Response) -> str:
    """Without the query: a signature opens a file to whoever reads it."""
    return str(answer.url.copy_with(query=None))
