"""VGG-19 as a feature extractor, cut after relu5_1, reading torchvision's published weights.

Simonyan and Zisserman 2014, configuration E. Average instead of max pooling, as Gatys et al. 2016 advise for
synthesis: its gradient is smooth. The first convolution replicates the border instead of padding zeros, which
would be painted as a frame.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engines.base import EngineError
from engines.weights import WEIGHTS, WeightsError, verify

#: Channels of the convolutions of each block; block 5 ends after its first, as nothing later is used.
_BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class VGG19(nn.Module):
    """The convolutions up to conv5_1; weights are frozen and take part in no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []  # "conv1_1", ...
        #: For each convolution its index in torchvision's `features`: those count ReLUs and pools too.
        self.published: list[int] = []
        layers: list[nn.Conv2d] = []
        channels, index = 3, 0
        for block, widths in enumerate(_BLOCKS, start=1):
            for number, width in enumerate(widths, start=1):
                padding = 0 if not self.names else 1  # the first is padded by `_frame`
                layers.append(nn.Conv2d(channels, width, 3, padding=padding))
                self.names.append(f"conv{block}_{number}")
                self.published.append(index)
                channels, index = width, index + 2
            index += 1
        self.layers = layers  # the same modules, as what they are
        self.convolutions = nn.ModuleList(layers)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, image: Tensor, wanted: frozenset[str]) -> dict[str, Tensor]:
        """(1, 3, H, W) RGB in 0..1 -> the wanted activations by name ("relu1_1", ...), (1, C, H', W') each.

        Stops after the last wanted one. Computes in the weights' precision and returns that.
        """
        mean, deviation = self.get_buffer("mean"), self.get_buffer("deviation")
        x = _frame((image - mean) / deviation).to(self.layers[0].weight.dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        found: dict[str, Tensor] = {}
        for name, convolution in zip(self.names, self.layers, strict=True):
            if name.endswith("_1") and name != "conv1_1":
                x = F.avg_pool2d(x, (min(2, x.shape[2]), min(2, x.shape[3])))
            x = F.relu_(convolution(x))  # in place: a convolution's gradient does not need its output
            relu = name.replace("conv", "relu")
            if relu in wanted:
                found[relu] = x
                if len(found) == len(wanted):
                    break
        return found

    def place(self, device: torch.device, dtype: torch.dtype) -> None:
        """Move to a device, and the convolutions to a precision, in the memory order that suits them."""
        self.to(device)
        for layer in self.layers:
            layer.to(dtype=dtype)
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)

    def load_published(self, state: dict[str, Tensor]) -> None:
        """Fill in from a torchvision VGG-19 state dict. Raises EngineError when it is another network's."""
        for index, module in zip(self.published, self.layers, strict=True):
            for part, own in _parameters(module):
                given = state.get(f"features.{index}.{part}")
                if given is None or given.shape != own.shape:
                    found = "is absent" if given is None else f"has shape {tuple(given.shape)}"
                    raise EngineError(f"not a VGG-19: features.{index}.{part} {found}")
                own.data.copy_(given)


def _parameters(layer: nn.Conv2d) -> list[tuple[str, Tensor]]:
    """Weight and bias by name."""
    return list(layer.named_parameters())


def _frame(x: Tensor) -> Tensor:
    """Replicate the border by 1 px. By slices: the gradient of `F.pad` is not deterministic on CUDA."""
    x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], 2)
    return torch.cat([x[..., :1], x, x[..., -1:]], 3)


def load_vgg19(file: Path) -> VGG19:
    """VGG-19 from torchvision's file. Raises EngineError when it is missing, damaged or another file."""
    try:
        verify(file, WEIGHTS["vgg19"])
    except WeightsError as error:
        raise EngineError(
            f"method gatys needs the vgg19 weights (atelier weights pull vgg19): {error}"
        ) from error
    model = VGG19()
    # mmap: four fifths of the file are the classifier, which is never touched.
    model.load_published(torch.load(file, map_location="cpu", weights_only=True, mmap=True))
    return model
