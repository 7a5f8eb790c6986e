"""In which language a request is answered: `?lang=`, else the Accept-Language header, else English."""

from __future__ import annotations

from flask import Response, request
from pydantic import BaseModel, Field

from engines import words

#: For `Operation.headers`.
ACCEPT_LANGUAGE = {
    "Accept-Language": {
        "type": "string",
        "description": "Which languages titles and descriptions are wanted in, as browsers send it; `lang` "
        "comes before it.",
    }
}
#: For `Operation.answer_headers`.
CONTENT_LANGUAGE = {"Content-Language": "The language that was chosen."}


class LanguageQuery(BaseModel):
    """In which language."""

    lang: str | None = Field(
        default=None,
        max_length=35,
        pattern=r"^[A-Za-z]{1,8}([-_][A-Za-z0-9]{1,8})*$",
        description="The language of titles, descriptions and choices, as a tag such as `de` or `de-AT`. "
        "English where there are no words in it. Left out: as `Accept-Language` says.",
    )


def chosen(wanted: LanguageQuery) -> str:
    """The first wanted language that there are words in, whatever its region."""
    # Not werkzeug's own `best_match`: to it `en` is better than the `de` that `de-AT, en;q=0.5` asks for.
    tags = [wanted.lang] if wanted.lang else [tag for tag, quality in request.accept_languages if quality > 0]
    primary = [tag.replace("_", "-").partition("-")[0].lower() for tag in tags]
    return next((tag for tag in primary if tag in words.languages()), words.ENGLISH)


def in_language(response: Response, language: str) -> Response:
    """The same answer, which says what language it is in and what that depended on."""
    response.content_language.add(language)
    response.vary.add("Accept-Language")
    return response
