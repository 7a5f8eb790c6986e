"""How likely augmentations are: the controller of ADA.

Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", section 3.1: the
discriminator is overfitting when it is sure of nearly all real pictures, and p follows the mean sign of its
answers to them.
"""

from __future__ import annotations

import math

#: Batches over which signs are averaged before p moves.
INTERVAL = 4


class Controller:
    """The probability `p`, and the rule that moves it."""

    def __init__(self, p: float = 0.0, target: float | None = 0.6, kimg: float = 500.0) -> None:
        """`target`: the mean sign above which p grows; None: p stays as it is.

        `kimg`: thousand real pictures in which p goes from 0 to 1.
        """
        self.p, self.target, self.kimg = p, target, kimg
        self._signs: list[float] = []

    def observe(self, mean_sign: float, count: int) -> None:
        """Take note of a batch of `count` real pictures, of whose scores this is the mean sign."""
        # In half precision a batch may overflow now and then; it says nothing.
        if self.target is None or not math.isfinite(mean_sign):
            return
        self._signs.append(mean_sign)
        if len(self._signs) < INTERVAL:
            return
        excess = sum(self._signs) / INTERVAL - self.target
        step = count * INTERVAL / (self.kimg * 1000.0)
        if excess:
            self.p = max(self.p + (step if excess > 0 else -step), 0.0)
        self._signs.clear()

    def state(self) -> dict[str, float | list[float]]:
        """Everything that changes, for a checkpoint."""
        return {"p": self.p, "signs": list(self._signs)}

    def restore(self, state: dict[str, float | list[float]]) -> None:
        """Continue from `state()`."""
        p, signs = state["p"], state["signs"]
        assert isinstance(p, float)
        assert isinstance(signs, list)
        self.p, self._signs = p, list(signs)
