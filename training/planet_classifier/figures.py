"""Figures of a classifier, and its calibration: accuracy, AUROC, calibration error, temperature, Platt.

Everything takes tensors on the CPU and computes in float64.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.planet_classifier.network import Calibration

#: Bins of the expected calibration error.
BINS = 15

#: Where the temperature is looked for. On a small set without mistakes the likeliest one would be 0.
_COLDEST, _HOTTEST = 0.25, 8.0


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of (N, K) logits whose largest is the label's, (N,)."""
    return (logits.argmax(1) == labels).double().mean().item()


def auroc(positive: Tensor, negative: Tensor) -> float:
    """Area under the ROC curve: the chance that a positive's score, (N,), lies above a negative's, (M,).

    By ranks (Hanley and McNeil 1982); ties count half.
    """
    scores = torch.cat([positive, negative]).double()
    _, inverse, counts = torch.unique(scores, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks = (last - (counts.double() - 1.0) / 2.0)[inverse]  # the mean rank of equal values, from 1
    n, m = len(positive), len(negative)
    return float((ranks[:n].sum() - n * (n + 1) / 2.0) / (n * m))


def expected_calibration_error(confidence: Tensor, correct: Tensor, bins: int = BINS) -> float:
    """How far confidence, (N,) in 0..1, lies from the share that is correct, (N,) bool, on average over bins.

    Guo et al. 2017, with bins of equal width, weighted by what is in them.
    """
    confidence, correct = confidence.double(), correct.double()
    bin_of = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, bin_of, confidence - correct)
    return (gaps.abs().sum() / len(confidence)).item()


def world_calibration_error(calibration: Calibration, logits: Tensor, labels: Tensor) -> float:
    """That of the likeliest world's probability, on planets: (N, 12) logits, (N,) labels."""
    confidence, found = calibration.probabilities(logits).max(1)
    return expected_calibration_error(confidence, found == labels)


def score_calibration_error(calibration: Calibration, planets: Tensor, others: Tensor) -> float:
    """That of the score, on planets' (N,) and other pictures' (M,) logits, both sets weighing the same."""
    scores = [calibration.scores(logits) for logits in (planets, others)]
    gaps = torch.zeros(BINS, dtype=torch.float64)
    for score, truth in zip(scores, (1.0, 0.0), strict=True):
        bin_of = (score * BINS).long().clamp(max=BINS - 1)
        gaps.index_add_(0, bin_of, (score - truth) / (2.0 * len(score)))
    return gaps.abs().sum().item()


def temperature(logits: Tensor, labels: Tensor) -> float:
    """What (N, 12) logits must be divided by for the likeliest probabilities of the (N,) labels.

    The loss has one minimum in it (Guo et al. 2017); found by golden section on its logarithm.
    """

    def loss(log: float) -> float:
        return F.cross_entropy(logits.double() / torch.tensor(log).double().exp(), labels).item()

    low, high = torch.tensor([_COLDEST, _HOTTEST]).log().tolist()
    ratio = (5.0**0.5 - 1.0) / 2.0
    for _ in range(50):
        third, two_thirds = high - ratio * (high - low), low + ratio * (high - low)
        if loss(third) < loss(two_thirds):
            high = two_thirds
        else:
            low = third
    return float(torch.tensor((low + high) / 2.0).exp())


def platt(planets: Tensor, others: Tensor) -> tuple[float, float]:
    """(slope, offset) of the sigmoid that says best which (N,) logits are planets' and which, (M,), others'.

    Platt 1999 with his softened targets, which keep it finite where nothing overlaps. Both sets weigh the
    same.
    """
    n, m = len(planets), len(others)
    logits = torch.cat([planets, others]).double()
    targets = torch.cat([torch.full((n,), (n + 1.0) / (n + 2.0)), torch.full((m,), 1.0 / (m + 2.0))]).double()
    weights = torch.cat([torch.full((n,), 0.5 / n), torch.full((m,), 0.5 / m)]).double()
    # The slope by its logarithm: it stays positive.
    free = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        out = logits * free[0].exp() + free[1]
        loss = F.binary_cross_entropy_with_logits(out, targets, weights, reduction="sum")
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]  # a decorator of torch's hides its types
    return free[0].exp().item(), free[1].item()
