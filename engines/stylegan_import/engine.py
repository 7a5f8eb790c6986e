"""Converts an uploaded network in the sandbox of `engines.stylegan`, and says what it is."""

from __future__ import annotations

from collections.abc import Iterator

from engines.base import Context, Output
from engines.stylegan.bad_network import BadNetwork
from engines.stylegan.config import PICTURE_MODES
from engines.stylegan.fitting import Facts
from engines.stylegan.reading.sandbox import convert
from engines.stylegan_import.spec import StyleganImportParams


class Engine:
    """The file is read by a child process with limits; this one only waits for it."""

    device = "cpu"

    def setup(self) -> None:
        """There is nothing to load."""

    def run(self, params: StyleganImportParams, context: Context) -> Iterator[Output]:
        """Make one safetensors file, named by its hash. Raises BadNetwork for what is no such network."""
        context.progress(0.0, "fetching the upload")
        source = context.input(params.source)
        target = context.scratch / "network.safetensors"
        made = convert(source, target, tick=lambda: context.progress(0.5, "reading the network"))
        context.progress(0.9, "storing the network")
        config = made.config
        if config.img_channels not in PICTURE_MODES:
            raise BadNetwork(f"it makes pictures of {config.img_channels} channels, which nobody can show")
        about = Facts.read(config.model_dump(mode="json"), made.classes).as_dict()
        yield Output(
            f"{made.sha256}.safetensors",
            "application/octet-stream",
            target,
            meta={"seed": params.seed, "config": about},
        )
