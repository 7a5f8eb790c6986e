"""Gradients averaged over processes, alone and with others."""

from __future__ import annotations

import math

import torch
import torch.distributed as dist
from torch import nn

from training.stylegan import processes
from training.stylegan.processes import averaged, share_gradients


def test_gradients_that_are_not_finite_do_not_spoil_the_weights():
    parameters = [
        nn.Parameter(torch.zeros(2)),
        nn.Parameter(torch.zeros(3)),
        nn.Parameter(torch.zeros(1)),
    ]
    parameters[0].grad = torch.tensor([math.nan, 2.0])
    parameters[1].grad = torch.tensor([math.inf, -math.inf, 1.0])
    share_gradients(parameters)
    assert parameters[0].grad.tolist() == [0.0, 2.0]
    assert parameters[1].grad.tolist() == [1e5, -1e5, 1.0]
    assert parameters[2].grad is None


def test_alone_nothing_is_asked_of_others():
    assert (processes.rank(), processes.count()) == (0, 1)
    x = torch.ones(2, requires_grad=True)
    assert torch.equal(averaged(x * 3), torch.full((2,), 3.0))
    assert not averaged(x).requires_grad


def test_without_gradients_there_is_nothing_to_share():
    share_gradients([nn.Parameter(torch.zeros(2))])
    share_gradients([])


def test_with_others_it_is_the_mean_and_every_gradient_keeps_its_shape(monkeypatch):
    """The other's numbers are three times ours, here."""
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", lambda whole: whole.mul_(4))
    parameters = [nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(2))]
    parameters[0].grad = torch.arange(6.0).view(2, 3)
    parameters[2].grad = torch.tensor([7.0, 8.0])
    before = parameters[0].grad
    share_gradients(parameters)
    assert parameters[0].grad is before
    assert before.tolist() == [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]
    assert parameters[2].grad.tolist() == [14.0, 16.0]
    ours = torch.ones(2)
    assert averaged(ours).tolist() == [2.0, 2.0]
    assert ours.tolist() == [1.0, 1.0]
