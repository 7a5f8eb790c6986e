"""Params, by the engine's own model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from accept.field_errors import MAX_ERRORS, MAX_TEXT, field_errors
from accept.hints import hint
from engines.base import EngineSpec, Params
from jobs.errors import InvalidParams

#: An integer of thousands of digits; nesting without end.
TOO_MUCH = "A value is too large or nested too deeply."


def validate(spec: EngineSpec, params: Mapping[str, Any]) -> Params:
    """The engine's own model of these params. Raises InvalidParams."""
    _refuse_unknown(spec, params)
    try:
        nul = [name for name, value in params.items() if _has_nul(value)]
        if nul:
            raise _refused(dict.fromkeys(nul, "Text must not contain the character U+0000."), "nul_character")
        # By way of JSON, so that strictness has JSON's types: 1 for a float is right, "1" is not.
        return spec.params.model_validate_json(json.dumps(params), strict=True)
    except ValidationError as error:
        raise InvalidParams(errors=field_errors(error, spec.params)) from error
    except (ValueError, RecursionError) as error:
        raise InvalidParams(TOO_MUCH) from error


def _refuse_unknown(spec: EngineSpec, params: Mapping[str, Any]) -> None:
    """Before anything else is done with them: what nobody knows may be of any size."""
    known = spec.params.model_fields
    if unknown := sorted(params.keys() - known.keys())[:MAX_ERRORS]:
        message = f"The engine {spec.name} has no such parameter."
        raise _refused({name: message + hint(name, known) for name in unknown}, "extra_forbidden")


def _refused(messages: Mapping[str, str], code: str) -> InvalidParams:
    """The error for these params and what is wrong with each."""
    return InvalidParams(
        errors=[{"field": name[:MAX_TEXT], "message": text, "code": code} for name, text in messages.items()]
    )


def _has_nul(value: Any) -> bool:
    """PostgreSQL stores no U+0000 in text or JSON."""
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_has_nul(k) or _has_nul(v) for k, v in value.items())
    return isinstance(value, list) and any(_has_nul(v) for v in value)
