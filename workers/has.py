"""What this machine has of what jobs can need (`EngineSpec.needs`)."""

from __future__ import annotations

from engines import providers, secrets, weights


def has() -> tuple[str, ...]:
    """Names of weights files, secrets, services that answer.

    A service that is left alone for a while is missing meanwhile, so that its jobs wait in line.
    """
    return (*weights.installed(), *secrets.needs_met(), *providers.needs_met())
