"""How much work a job is: by its params, and by the networks it names."""

from __future__ import annotations

from api.pinning import pinned
from api.services import services
from engines.base import EngineSpec, Params


def cost_of(spec: EngineSpec, params: Params) -> float:
    """`Job.cost` of these params, whose networks are pinned."""
    cost, hashes = spec.cost(params), pinned(spec, params)
    if not hashes:
        return cost
    return cost * max(map(spec.network_cost, services().networks.configs(hashes)), default=1.0)
