"""What both networks are trained to make small.

The non-saturating logistic loss (Goodfellow et al. 2014), R1 (Mescheder et al. 2018), the path length
(Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", section 3.2), and mixed styles
(Karras et al. 2019, section 3.1), under which generators are trained.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def real_enough(scores: Tensor) -> Tensor:
    """(B, 1) scores -> the mean loss of whoever wants them high: the generator's, and of real pictures."""
    return F.softplus(-scores).mean()


def made_enough(scores: Tensor) -> Tensor:
    """(B, 1) scores of made pictures -> the discriminator's mean loss."""
    return F.softplus(scores).mean()


def squared_slopes(scores: Tensor, pictures: Tensor) -> Tensor:
    """(B,): how steep the scores are at each of the pictures (B, C, S, S), which need gradients; squared.

    Can be differentiated once more. R1 is half its mean times gamma.
    """
    (slopes,) = torch.autograd.grad(scores.sum(), pictures, create_graph=True)
    return slopes.square().sum((1, 2, 3))


def path_lengths(pictures: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """(B,): how far pictures (B, C, S, S) move, in the direction `noise`, for a unit step of ws (B, N, D).

    `noise` has the pictures' shape and a variance of 1. Can be differentiated once more.
    """
    side = math.sqrt(pictures.shape[2] * pictures.shape[3])
    (slopes,) = torch.autograd.grad((pictures * noise).sum() / side, ws, create_graph=True)
    return slopes.square().sum(2).mean(1).sqrt()


def mixed(ws: Tensor, other: Tensor, first: Tensor) -> Tensor:
    """ws (B, N, D) of which each picture takes those from `first`, (B,), onwards from `other`."""
    places = torch.arange(ws.shape[1], device=ws.device)
    return torch.where((places < first[:, None])[:, :, None], ws, other)
