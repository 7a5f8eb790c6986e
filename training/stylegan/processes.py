"""Training on several GPUs: one process each, the same weights in all, gradients averaged.

Plain sums of gradients instead of torch's DistributedDataParallel, whose hooks know nothing of derivatives of
derivatives, which R1 and the path length take.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def count() -> int:
    """How many train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def averaged(x: Tensor) -> Tensor:
    """The mean over all processes, the same in each; without a gradient."""
    if count() == 1:
        return x.detach()
    whole = x.detach().clone()
    dist.all_reduce(whole)
    return whole.div_(count())


def share_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Average the gradients over all processes, and make finite what is not.

    Half precision overflows now and then: such a gradient says a direction at most.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return
    flat = averaged(torch.cat([gradient.flatten() for gradient in gradients]))
    flat = flat.nan_to_num(nan=0.0, posinf=1e5, neginf=-1e5)
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
