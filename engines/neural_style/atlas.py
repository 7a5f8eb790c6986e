"""The style pictures of one pyramid level as one flat table that patches are looked up in.

Every style is padded by 2 px and laid out row by row, one after the other. A *position* is an index into that
flat table; one style pixel to the right is +1, one row down is +stride of its style.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engines.neural_style.colour import luma
from engines.neural_style.pyramid import blur, gradient, pad
from engines.neural_style.schedule import BORDER, Size

PATCH = 2 * BORDER + 1
_DETAIL = 20  # dimensions kept of a 5x5 RGB patch
_GUIDE = 5  # blurred RGB and two gradients
#: Columns of a query or key row: 20 detail, 5 guide, |G|^2, |D|^2 + price, and zeros up to two cache lines.
ROW = 32
GUIDE_COLUMNS = slice(_DETAIL, _DETAIL + _GUIDE)
NORM_COLUMN = _DETAIL + _GUIDE
PRICE_COLUMN = NORM_COLUMN + 1
#: Score of a position that is no style pixel: above every real one.
_NEVER = 1e9
_BASIS_SAMPLE = 20_000
#: The exact search reduces scores in blocks of this many keys.
BLOCK = 64


@dataclass(frozen=True)
class PatchBasis:
    """The 20 principal directions of the style's 5x5 RGB patches."""

    mean: Tensor  # (75,)
    directions: Tensor  # (75, 20)

    def describe(self, padded: Tensor) -> Tensor:
        """A picture padded by 2 px, (3, H+4, W+4) -> its patches' coordinates (20, H, W).

        Divided by 5, so that a squared distance is the patch's mean squared error per pixel.
        """
        kernel = self.directions.T.reshape(_DETAIL, 3, PATCH, PATCH)
        shift = -(self.mean @ self.directions)
        return F.conv2d(padded[None], kernel, shift)[0] / PATCH


def guide_of(image: Tensor, gamma: float) -> Tensor:
    """(3, H, W) -> (5, H, W): RGB blurred at sigma 1, and gamma times the gradient of its luma.

    The gradients are what keeps the content sharp: colour alone lets a patch slide along an edge.
    """
    smooth = blur(image, 1.0)
    along_x, along_y = gradient(luma(smooth))
    return torch.cat([smooth, gamma * along_x, gamma * along_y])


class Atlas:
    """Keys, colours and geometry of all styles of one level."""

    def __init__(
        self,
        styles: list[Tensor],
        gamma: float,
        generator: torch.Generator,
        pulse: Callable[[], None] = lambda: None,
    ) -> None:
        """`styles`: (3, h_k, w_k) each, already at this level's size. `pulse` is called between steps."""
        self.sizes: list[Size] = [(style.shape[1], style.shape[2]) for style in styles]
        self.strides = [width + 2 * BORDER for _, width in self.sizes]
        self.bases: list[int] = []
        length = 0
        for height, width in self.sizes:
            self.bases.append(length)
            length += (height + 2 * BORDER) * (width + 2 * BORDER)
        self.length = -(-length // BLOCK) * BLOCK
        device = styles[0].device
        padded = [pad(style, BORDER) for style in styles]
        #: (P, 4): RGB and a zero, 16 bytes a row.
        self.colours = torch.zeros(self.length, 4, device=device)
        #: (K,): the positions that are style pixels.
        self.pixels = self._pixel_positions(device)
        for index, picture in enumerate(padded):
            self._padded_view(self.colours, index)[..., :3] = picture.permute(1, 2, 0)
        pulse()
        self.basis = self._fit_basis(generator)
        pulse()
        #: (P, 32): one side of the augmented inner product, see `search`.
        self.keys = torch.zeros(self.length, ROW, device=device)
        self.keys[:, PRICE_COLUMN] = _NEVER
        for index, (style, picture) in enumerate(zip(styles, padded, strict=True)):
            detail = self.basis.describe(picture).permute(1, 2, 0)  # (h, w, 20)
            pulse()
            guide = guide_of(style, gamma).permute(1, 2, 0)  # (h, w, 5)
            pulse()
            rows = self._pixel_view(self.keys, index)  # (h, w, 32)
            rows[..., :_DETAIL] = -2 * detail
            rows[..., GUIDE_COLUMNS] = -2 * guide
            rows[..., NORM_COLUMN] = guide.square().sum(-1)
            rows[..., PRICE_COLUMN] = detail.square().sum(-1)
        self._unpriced = self.keys[:, PRICE_COLUMN].clone()  # (P,)

    def set_prices(self, prices: Tensor) -> None:
        """`prices`: (P,), added to the cost of every position."""
        torch.add(self._unpriced, prices, out=self.keys[:, PRICE_COLUMN])

    def style_of(self, positions: Tensor) -> Tensor:
        """The style a position belongs to, same shape as `positions`."""
        style = torch.zeros_like(positions)
        for base in self.bases[1:]:
            style += positions >= base
        return style

    def stride_at(self, positions: Tensor) -> Tensor | int:
        """The step to the row below; a plain number where all positions share it."""
        if len(set(self.strides)) == 1:
            return self.strides[0]
        return positions.new_tensor(self.strides)[self.style_of(positions).long()]

    def usage(self, positions: Tensor, shares: list[float]) -> Tensor:
        """How often each style pixel is used, 1 = its fair share, as a 5x5 box mean: (P,), 0 elsewhere."""
        counts = torch.bincount(positions, minlength=self.length).float()
        used = torch.zeros_like(counts)
        for index, ((height, width), share) in enumerate(zip(self.sizes, shares, strict=True)):
            expected = max(positions.numel() * share / (height * width), 1e-6)
            plane = self._pixel_view(counts, index)[None, None]  # (1, 1, h, w)
            smooth = F.avg_pool2d(plane, PATCH, stride=1, padding=BORDER, count_include_pad=False)
            self._pixel_view(used, index).copy_(smooth[0, 0] / expected)
        return used

    def upsampled(self, positions: Tensor, coarse: Atlas, size: Size) -> Tensor:
        """A coarser level's assignment (h, w) -> this level's (H, W): same place in the style, sub-pixel."""
        height, width = size
        coarse_rows, row_offset = _coarse_places(height, positions.shape[0], positions.device)
        coarse_columns, column_offset = _coarse_places(width, positions.shape[1], positions.device)
        old = positions[coarse_rows][:, coarse_columns]  # (H, W)
        style = coarse.style_of(old).long()

        def per_style(values: list[int]) -> Tensor:
            return positions.new_tensor(values)[style]

        relative = old - per_style(coarse.bases)
        stride = per_style(coarse.strides)
        row = relative // stride - BORDER
        column = relative % stride - BORDER
        new_height, new_width = (per_style([s[axis] for s in self.sizes]) for axis in (0, 1))
        old_height, old_width = (per_style([s[axis] for s in coarse.sizes]) for axis in (0, 1))
        row = _rescale(row, row_offset[:, None], new_height, old_height)
        column = _rescale(column, column_offset[None, :], new_width, old_width)
        flat = per_style(self.bases) + (row + BORDER) * per_style(self.strides) + column + BORDER
        return flat.to(positions.dtype)

    def _fit_basis(self, generator: torch.Generator) -> PatchBasis:
        device = self.colours.device
        count = self.pixels.numel()
        if count > _BASIS_SAMPLE:
            chosen = self.pixels[torch.randint(count, (_BASIS_SAMPLE,), generator=generator).to(device)]
        else:
            chosen = self.pixels
        stride = self.stride_at(chosen)
        offsets = range(-BORDER, BORDER + 1)
        places = torch.stack([chosen + dy * stride + dx for dy in offsets for dx in offsets], 1)  # (n, 25)
        patches = self.colours[places.long()][..., :3].transpose(1, 2).flatten(1)  # (n, 75), channel first
        # Double precision makes the single-precision basis the same whatever the order of summation, and the
        # CPU makes it the same on every device.
        patches = patches.double().cpu()
        mean = patches.mean(0)
        centred = patches - mean
        _, vectors = torch.linalg.eigh(centred.T @ centred)
        directions = vectors[:, -_DETAIL:]
        largest = directions.abs().argmax(0, keepdim=True)
        directions = (
            directions * directions.gather(0, largest).sign()
        )  # eigenvectors have no sign of their own
        return PatchBasis(mean.float().to(device), directions.float().to(device))

    def _pixel_positions(self, device: torch.device) -> Tensor:
        found = []
        for base, stride, (height, width) in zip(self.bases, self.strides, self.sizes, strict=True):
            rows = torch.arange(BORDER, BORDER + height, device=device, dtype=torch.int32)
            columns = torch.arange(BORDER, BORDER + width, device=device, dtype=torch.int32)
            found.append((base + rows[:, None] * stride + columns[None, :]).flatten())
        return torch.cat(found)

    def _padded_view(self, table: Tensor, index: int) -> Tensor:
        """Rows of one style in a (P, ...) table as (h+4, w+4, ...), sharing memory."""
        height, width = self.sizes[index][0] + 2 * BORDER, self.strides[index]
        base = self.bases[index]
        return table[base : base + height * width].view(height, width, *table.shape[1:])

    def _pixel_view(self, table: Tensor, index: int) -> Tensor:
        """The same without the padding, (h, w, ...)."""
        return self._padded_view(table, index)[BORDER:-BORDER, BORDER:-BORDER]


def _coarse_places(fine: int, coarse: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """For each fine index its coarse index, and how far (in coarse pixels) it lies from that one's centre."""
    place = (torch.arange(fine, device=device, dtype=torch.float64) + 0.5) * (coarse / fine)
    index = place.floor().clamp(max=coarse - 1)
    return index.long(), (place - index - 0.5)


def _rescale(coordinate: Tensor, offset: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """A coarse style coordinate plus an offset -> the nearest fine one, kept inside."""
    moved = (coordinate + 0.5 + offset) * (new.double() / old.double()) - 0.5
    return torch.minimum(moved.round().clamp(min=0), (new - 1).double()).long()
