"""3x3 convolutions with a quarter of the multiplications: F(4x4, 3x3) of Winograd in three matrix products.

Lavin and Gray 2016. Tiles of 6x6 pixels make 4x4 each. The sums come in another order than a direct
convolution's and are as exact; in 16 bits they would not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import torch
import torch.nn.functional as F
from torch import Tensor

#: Pixels a tile makes along one side, and takes.
_OUT, _IN = 4, 6
#: Where the polynomials are evaluated, infinity beside these. The paper's 0, 1, -1, 2, -2 make four times the
#: error: near the roots of 1/2 and of 2 the powers stay close to 1.
_POINTS = tuple(Fraction(tenths, 10) for tenths in (0, 7, -7, 14, -14))
#: Numbers of a temporary matrix, at most: what goes on in the cache, and below the size from which glibc asks
#: the kernel for fresh pages every time.
_PART = 4 << 20


def _product(roots: Sequence[Fraction]) -> list[Fraction]:
    """The coefficients of the polynomial with these roots, that of the power 0 first."""
    found = [Fraction(1)]
    for root in roots:
        found = [a - root * b for a, b in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)]
    return found


def matrices() -> tuple[Tensor, Tensor, Tensor]:
    """B^T (6, 6), G (6, 3) and A^T (4, 6) in float64: y = A^T [(G g) * (B^T d)] is d correlated with g."""
    inputs, weights, outputs = [], [], []
    for point in _POINTS:
        others = [other for other in _POINTS if other != point]
        scale = Fraction(1)
        for other in others:
            scale *= point - other
        inputs.append([*_product(others), Fraction(0)])
        weights.append([point**power / scale for power in range(3)])
        outputs.append([point**power for power in range(_OUT)])
    inputs.append(_product(_POINTS))
    weights.append([Fraction(0), Fraction(0), Fraction(1)])
    outputs.append([Fraction(power == _OUT - 1) for power in range(_OUT)])
    b, g, a = (
        torch.tensor([[float(x) for x in row] for row in rows], dtype=torch.float64)
        for rows in (inputs, weights, outputs)
    )
    return b, g, a.T.contiguous()


def fits(height: int, width: int) -> bool:
    """Whether pictures of that size fall into tiles."""
    return height % _OUT == 0 and width % _OUT == 0


class Winograd:
    """A 3x3 convolution with a padding of 1 and constant weights."""

    def __init__(self, weight: Tensor) -> None:
        """`weight`: (O, I, 3, 3)."""
        b, g, a = (one.to(weight.device) for one in matrices())
        spread = torch.einsum("uk,oikl,vl->uvio", g, weight.double(), g)
        self.weight = spread.flatten(0, 1).float().contiguous()  # (36, I, O)
        # Rows and columns at once: a product of small matrices is quicker than two passes.
        self._forward = torch.kron(b, b).float().contiguous()  # (36, 36)
        self._back = torch.kron(a, a).float().contiguous()  # (16, 36)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, I, H, W) float32 -> (B, O, H, W), both channels_last. H and W must be multiples of 4."""
        count, inputs, height, width = x.shape
        across, out = width // _OUT, self.weight.shape[2]
        padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))  # (B, H + 2, W + 2, I)
        tiles = padded.unfold(1, _IN, _OUT).unfold(2, _IN, _OUT)  # (B, H/4, W/4, I, 6, 6)
        made = x.new_empty(count, height, width, out)
        rows = max(_PART // (_IN * _IN * count * across * max(inputs, out)), 1)
        for top in range(0, height // _OUT, rows):
            part = made[:, top * _OUT : (top + rows) * _OUT]  # (B, 4 rows, W, O)
            part.copy_(self._part(tiles[:, top : top + rows]).reshape(part.shape))
        return made.permute(0, 3, 1, 2)

    def _part(self, tiles: Tensor) -> Tensor:
        """(B, N, W/4, I, 6, 6) -> (B, N, 4, W/4, 4, O)."""
        count, down, across, inputs = tiles.shape[:4]
        taken = tiles.permute(4, 5, 0, 1, 2, 3).reshape(_IN * _IN, -1)
        taken = (self._forward @ taken).view(_IN * _IN, -1, inputs)  # (36, T, I)
        made = torch.bmm(taken, self.weight).view(_IN * _IN, -1)  # (36, T O)
        made = (self._back @ made).view(_OUT, _OUT, count, down, across, -1)
        return made.permute(2, 3, 0, 4, 1, 5)
