"""What the conversion of an uploaded network takes. No torch here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engines.base import ArtifactField, EngineSpec, Params
from engines.ui import ui


class StyleganImportParams(Params):
    """An uploaded network, as it came."""

    source: Annotated[str, ArtifactField(accept=("application/octet-stream",))] = Field(
        description="The uploaded file: a .pkl of stylegan2-ada-pytorch or stylegan3, or our .safetensors.",
        json_schema_extra=ui("subject"),
    )


SPEC = EngineSpec(
    name="stylegan_import",
    title="StyleGAN2 import",
    description="Converts an uploaded StyleGAN2 network to safetensors, without running anything in it. "
    "It runs by itself when a network is uploaded (POST /v1/networks); it is not meant to be submitted by "
    "hand.",
    params=StyleganImportParams,
    produces=("application/octet-stream",),
    example={"source": "art_network"},
    queue="cpu",
    time_limit=900.0,
    # Whatever is in the file: a child process that starts, reads it and writes it again.
    cost=lambda _params: 1.0,
    hidden=True,
    converts_to="stylegan",
)
