"""/v1/engines: what can be made."""

from __future__ import annotations

from flask import Blueprint, Response
from pydantic import Field

import engines
from accept.engine_names import find_engine
from api.contract.operations import operation
from api.requests.languages import ACCEPT_LANGUAGE, CONTENT_LANGUAGE, LanguageQuery, chosen, in_language
from api.requests.reading import query
from api.schemas.engines import EngineList, EngineView
from api.views import engine_view, respond

routes = Blueprint("engines", __name__)


class EngineQuery(LanguageQuery):
    """Which engines to list, and in which language."""

    hidden: bool = Field(
        default=False, description="Diagnostic engines too. Those that run by themselves are never listed."
    )


@routes.get("/engines")
@operation(
    "The engines there are",
    "engines",
    {200: EngineList},
    query=EngineQuery,
    problems=(400,),
    headers=ACCEPT_LANGUAGE,
    answer_headers=CONTENT_LANGUAGE,
)
def list_engines() -> Response:
    """Each with its JSON Schema: enough to draw a form, ask in a chat or parse a command line."""
    wanted = query(EngineQuery)
    specs = [spec for spec in map(engines.spec, engines.names()) if not spec.converts_to]
    language = chosen(wanted)
    views = [engine_view(spec, language) for spec in specs if wanted.hidden or not spec.hidden]
    return in_language(respond(EngineList(engines=views)), language)


@routes.get("/engines/<string:name>")
@operation(
    "One engine",
    "engines",
    {200: EngineView},
    query=LanguageQuery,
    problems=(400, 404),
    headers=ACCEPT_LANGUAGE,
    answer_headers=CONTENT_LANGUAGE,
)
def get_engine(name: str) -> Response:
    """Hidden ones too."""
    language = chosen(query(LanguageQuery))
    return in_language(respond(engine_view(find_engine(name), language)), language)
