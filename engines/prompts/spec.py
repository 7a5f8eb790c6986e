"""What `prompts` accepts, for the API, the forms and the command line."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from engines.base import EngineSpec, Params, Seed, TextRef
from engines.prompts.fitting import check_schema
from engines.ui import ui

#: Of an answer.
MOST_TOKENS = 32_768
#: Characters of `text`, and of a document.
MOST_TEXT = 200_000


class PromptsParams(Params):
    """What is asked, of which text, and what the answer is to look like."""

    instruction: str = Field(
        min_length=1,
        max_length=16_000,
        description="What is to be done: a question, or what to do with the text.",
        json_schema_extra=ui("subject"),
    )
    text: str | None = Field(
        default=None,
        max_length=MOST_TEXT,
        description="The text that it is done with, where it needs one.",
        json_schema_extra=ui("subject", order=1),
    )
    document: TextRef | None = Field(
        default=None,
        description="The same as a file; with a text as well, it comes after that.",
        json_schema_extra=ui("subject", order=2),
    )
    language: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        max_length=35,
        description="The language of the answer, as a tag such as en or pt-BR. Left out: the model's choice.",
        json_schema_extra=ui("result"),
    )
    answer_schema: Annotated[dict[str, Any], Field(max_length=100)] | None = Field(
        default=None,
        description="A JSON Schema: the answer is then JSON that is valid against it. Left out: it is text.",
        json_schema_extra=ui("result", order=1, advanced=True),
    )
    temperature: float | None = Field(
        default=None,
        ge=0.0,
        le=2.0,
        description="How freely words are chosen. Left out: as the service does by itself.",
        json_schema_extra=ui("look", advanced=True, ends=("the likeliest", "nearly any")),
    )
    max_tokens: int = Field(
        default=2048,
        ge=1,
        le=MOST_TOKENS,
        description="How long the answer may be, in tokens: about three quarters of a word each.",
        json_schema_extra=ui("result", order=2, advanced=True, ends=("a word", "a small book")),
    )
    cache: bool = Field(
        default=True,
        description="Whether an answer to the very same request, of the last 24 hours, may be given again.",
        json_schema_extra=ui("result", order=3, advanced=True),
    )
    seed: Seed | None = Field(
        default=None,
        description="Passed on to the model, which may answer the same for the same, or not. Left out: one "
        "is chosen.",
        json_schema_extra=ui("result", order=100, role="seed", advanced=True),
    )

    @field_validator("answer_schema")
    @classmethod
    def _is_taken(cls, schema: dict[str, Any] | None) -> dict[str, Any] | None:
        if schema is not None:
            check_schema(schema)
        return schema


SPEC = EngineSpec(
    name="prompts",
    title="Prompts",
    description="Asks a chat model that runs elsewhere: text in, text or JSON out.",
    params=PromptsParams,
    produces=("text/plain", "application/json"),
    example={"instruction": "Write a haiku about the rings of Saturn.", "language": "en"},
    queue="net",
    # Two answers, each as late as an operator may allow.
    time_limit=7500.0,
    max_batch=16,
    batch_key=lambda _params: "ask",
    cost=lambda params: 0.5 + 0.01 * params.max_tokens,
    needs=(frozenset({"provider:chat", "secret:chat"}),),
    weights_for=lambda _params: ("provider:chat", "secret:chat"),
    deterministic=False,
)
