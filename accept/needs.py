"""What params need that may not be installed: asked before a job waits for a worker that will never come.

Weights are. A secret that no worker has, or a service that nobody reaches now, may be there in a minute: such
a job waits, and its forecast says for what.
"""

from __future__ import annotations

from collections.abc import Sequence

from engines import weights
from fleet.store import FleetStore
from jobs.errors import WeightsMissing


def require_weights(fleet: FleetStore, needed: Sequence[str]) -> None:
    """Raises WeightsMissing unless this machine or a live worker has them."""
    missing = [name for name in needed if name in weights.WEIGHTS and not weights.present(name)]
    if missing:
        reported = {name for worker in fleet.alive() for name in worker.weights}
        missing = [name for name in missing if name not in reported]
    if missing:
        pull = "; ".join(f"`atelier weights pull {name}`" for name in missing)
        raise WeightsMissing(
            f"No worker has the weights {', '.join(missing)}. Run {pull} where the workers run, "
            "or choose a method that needs none.",
            weights=missing,
        )
