"""The order in which pictures are shown: shuffled anew each time round, and known for every step in advance.

Nothing is kept between steps, so a run can be taken up at any of them.
"""

from __future__ import annotations

import functools
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from engines.seeds import generator
from training.stylegan.dataset import Pictures


class Batches:
    """Batches of pictures and labels; the next one is decoded while this one is used.

    Of `processes` that train together, each takes its share of every batch: the `rank`th, and every
    `processes`th from there.
    """

    def __init__(
        self,
        pictures: Pictures,
        batch: int,
        seed: int,
        *,
        rank: int = 0,
        processes: int = 1,
        threads: int = 2,
    ) -> None:
        self._pictures, self._batch, self._seed = pictures, batch, seed
        self._rank, self._processes = rank, processes
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="pictures")
        self._coming: dict[int, list[Future[Tensor]]] = {}

    def indices(self, step: int) -> list[int]:
        """Of the whole batch: each picture once a round, every round in another order."""
        places = range(step * self._batch, (step + 1) * self._batch)
        count = len(self._pictures)
        return [_order(self._seed, place // count, count)[place % count] for place in places]

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """(B, C, S, S) uint8 and (B, label_size) of this process's share. Raises BadDataset as `Pictures`."""
        futures = self._coming.pop(step, None) or self._begun(step)
        self._coming = {step + 1: self._begun(step + 1)}
        labels = [self._pictures.label(index) for index in self._share(step)]
        return torch.stack([future.result() for future in futures]), torch.stack(labels)

    def _share(self, step: int) -> list[int]:
        return self.indices(step)[self._rank :: self._processes]

    def _begun(self, step: int) -> list[Future[Tensor]]:
        return [self._threads.submit(self._pictures.picture, index) for index in self._share(step)]

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# A batch lies in two rounds at most where there are as many pictures as in it.
@functools.lru_cache(maxsize=4)
def _order(seed: int, round_: int, count: int) -> list[int]:
    """The numbers below `count`, shuffled."""
    order: list[int] = torch.randperm(count, generator=generator(seed, "order", iteration=round_)).tolist()
    return order
