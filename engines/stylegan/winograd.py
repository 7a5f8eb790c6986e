"""3x3 convolutions with a quarter of the multiplications: F(4x4, 3x3) of Winograd in three matrix products.

Lavin and Gray 2016. Tiles of 6x6 pixels make 4x4 each. The sums come in another order than a direct
convolution's and are as exact; in 16 bits they would not be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor

#: Pixels a tile makes along one side, and takes.
_OUT, _IN = 4, 6
#: Where the polynomials are evaluated, infinity beside these. The paper's 0, 1, -1, 2, -2 make four times the
#: error: near the roots of 1/2 and of 2 the powers stay close to 1.
_POINTS = tuple(Fraction(tenths, 10) for tenths in (0, 7, -7, 14, -14))
#: Numbers of a temporary matrix, about: what goes on in the cache.
_PART = 2 << 20


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


class Workspace:
    """Temporary matrices that keep their memory: in fresh pages a picture takes an eighth longer."""

    def __init__(self) -> None:
        self._held: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        """Float32 of any values, until the same name is asked for again."""
        count = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.numel() < count:
            held = self._held[name] = torch.empty(count)
        return held[:count].view(shape)

    @property
    def bytes(self) -> int:
        """What it holds."""
        return sum(held.nbytes for held in self._held.values())

    def clear(self) -> None:
        """Give the memory back."""
        self._held.clear()


class Winograd:
    """A 3x3 convolution with a padding of 1 and constant weights, on the CPU."""

    def __init__(self, weight: Tensor, workspace: Workspace) -> None:
        """`weight`: (O, I, 3, 3). Convolutions that share a workspace take turns."""
        b, g, a = matrices()
        spread = torch.einsum("uk,oikl,vl->uvio", g, weight.double(), g)
        self.weight = spread.flatten(0, 1).float().contiguous()  # (36, I, O)
        # Rows and columns at once: a product of small matrices is quicker than two passes.
        self._forward = torch.kron(b, b).float().contiguous()  # (36, 36)
        self._back = torch.kron(a, a).float().contiguous()  # (16, 36)
        self._workspace = workspace

    def __call__(self, x: Tensor) -> Tensor:
        """(B, I, H, W) float32 -> (B, O, H, W), both channels_last. H and W must be multiples of 4."""
        count, inputs, height, width = x.shape
        across, out = width // _OUT, self.weight.shape[2]
        padded = self._workspace("padded", count, height + 2, width + 2, inputs)
        for edge in (padded[:, 0], padded[:, -1], padded[:, :, 0], padded[:, :, -1]):
            edge.zero_()
        padded[:, 1:-1, 1:-1].copy_(x.permute(0, 2, 3, 1))
        tiles = padded.unfold(1, _IN, _OUT).unfold(2, _IN, _OUT)  # (B, H/4, W/4, I, 6, 6)
        made = x.new_empty(count, height, width, out)
        rows = max(_PART // (_IN * _IN * count * across * max(inputs, out)), 1)
        for top in range(0, height // _OUT, rows):
            part = made[:, top * _OUT : (top + rows) * _OUT]  # (B, 4 rows, W, O)
            found = self._part(tiles[:, top : top + rows])
            part.view(found.shape).copy_(found)
        return made.permute(0, 3, 1, 2)

    def _part(self, tiles: Tensor) -> Tensor:
        """(B, N, W/4, I, 6, 6) -> (B, N, 4, W/4, 4, O)."""
        count, down, across, inputs = tiles.shape[:4]
        number, out = count * down * across, self.weight.shape[2]
        of = self._workspace
        taken = of("taken", _IN, _IN, count, down, across, inputs).copy_(tiles.permute(4, 5, 0, 1, 2, 3))
        spread = of("spread", _IN * _IN, number * inputs)
        torch.mm(self._forward, taken.view(spread.shape), out=spread)
        products = of("products", _IN * _IN, number, out)
        torch.bmm(spread.view(_IN * _IN, number, inputs), self.weight, out=products)
        made = of("made", _OUT * _OUT, number * out)
        torch.mm(self._back, products.view(_IN * _IN, -1), out=made)
        return made.view(_OUT, _OUT, count, down, across, out).permute(2, 3, 0, 4, 1, 5)
