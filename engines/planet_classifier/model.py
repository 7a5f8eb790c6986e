"""The network: a small residual net (He et al. 2016) with two answers, which world and whether one at all.

Departures from the paper: a shortcut that halves the resolution averages before its 1x1 convolution, so that
it drops no pixels (He et al. 2019, "Bag of Tricks", ResNet-D); and the second answer, a logit trained against
pictures of other things (outlier exposure, Hendrycks et al. 2019).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.worlds import WORLDS

#: Side of the square picture that the convolutions see, in pixels.
SIDE = 96
#: Numbers in a feature vector.
FEATURES = 256

_STEM = 32
#: (channels, blocks) of the stages; each halves the resolution, as the stem does.
_STAGES = ((64, 1), (128, 2), (FEATURES, 1))


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        nn.init.zeros_(self.norm2.weight)  # a block begins as its shortcut
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut.append(nn.AvgPool2d(stride))
        if before != after:
            self.shortcut.append(nn.Conv2d(before, after, 1, bias=False))
            self.shortcut.append(nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """(B, before, H, W) -> (B, after, H / stride, W / stride)."""
        y = F.relu(self.norm1(self.first(x)), inplace=True)
        return F.relu(self.norm2(self.second(y)) + self.shortcut(x), inplace=True)


class PlanetClassifier(nn.Module):
    """Pictures -> features, the logits of the worlds, and the logit of being one of them.

    `features` and `forward` take (B, 3, S, S) RGB in 0..1, on black where there is transparency, of any S: it
    is resized to `SIDE` inside. 1.5 million parameters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, _STEM, 3, 2, 1, bias=False), nn.BatchNorm2d(_STEM), nn.ReLU(inplace=True)
        )
        channels, blocks = _STEM, []
        for width, count in _STAGES:
            for number in range(count):
                blocks.append(Block(channels, width, 2 if number == 0 else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.world = nn.Linear(FEATURES, len(WORLDS))
        self.planet = nn.Linear(FEATURES, 1)

    def features(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) in 0..1 -> (B, 256): what the last stage sees, averaged over the picture.

        Pictures of another size than `SIDE` are resized bilinearly with antialiasing, as Pillow does it.
        These are also the features of the project's FID.
        """
        if x.shape[-2:] != (SIDE, SIDE):
            x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", antialias=True)
        x = (x - 0.5) * 4.0
        x = self.stem(x.contiguous(memory_format=torch.channels_last))  # (B, 32, 48, 48)
        x = self.blocks(x)  # (B, 256, 6, 6)
        return x.mean((2, 3))

    def answers(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 256) features -> (B, 12) logits of the worlds, (B,) logit of being one of them; float32."""
        features = features.float()
        return self.world(features), self.planet(features).squeeze(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) in 0..1 -> (B, 12) logits of the worlds, (B,) logit of being one of them."""
        return self.answers(self.features(x))


def parameters_of(module: nn.Module) -> int:
    """How many numbers were learnt."""
    return sum(parameter.numel() for parameter in module.parameters())
