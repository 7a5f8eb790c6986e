"""/v1/engines: what can be made."""

from __future__ import annotations

from flask import Blueprint, Response
from pydantic import BaseModel, Field

import engines
from accept.engine_names import find_engine
from api.forms import query
from api.operations import operation
from api.views import engine_view, respond
from jobs.schemas import EngineList, EngineView

routes = Blueprint("engines", __name__)


class EngineQuery(BaseModel):
    """Which engines to list."""

    hidden: bool = Field(
        default=False, description="Diagnostic engines too. Those that run by themselves are never listed."
    )


@routes.get("/engines")
@operation("The engines there are", "engines", {200: EngineList}, query=EngineQuery, problems=(400,))
def list_engines() -> Response:
    """Each with its JSON Schema: enough to draw a form, ask in a chat or parse a command line."""
    wanted = query(EngineQuery)
    specs = [spec for spec in map(engines.spec, engines.names()) if not spec.converts_to]
    return respond(EngineList(engines=[engine_view(s) for s in specs if wanted.hidden or not s.hidden]))


@routes.get("/engines/<string:name>")
@operation("One engine", "engines", {200: EngineView}, problems=(404,))
def get_engine(name: str) -> Response:
    """Hidden ones too."""
    return respond(engine_view(find_engine(name)))
