"""Choosing a device."""

from __future__ import annotations

import pytest
import torch

from engines.torch_device import choose_device


def test_a_name_goes_before_the_environment(monkeypatch):
    monkeypatch.setenv("ATELIER_DEVICE", "abacus")
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("ATELIER_DEVICE", "cpu")
    assert choose_device() == torch.device("cpu")


def test_an_unknown_device_is_told_with_what_named_it(monkeypatch):
    with pytest.raises(ValueError, match=r"^device: unknown device 'abacus'"):
        choose_device("abacus")
    monkeypatch.setenv("ATELIER_DEVICE", "abacus")
    with pytest.raises(ValueError, match=r"^ATELIER_DEVICE: unknown device 'abacus'"):
        choose_device()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_told(monkeypatch):
    with pytest.raises(RuntimeError, match=r"^device is 'cuda:7', but"):
        choose_device("cuda:7")
    monkeypatch.setenv("ATELIER_DEVICE", "cuda:7")
    with pytest.raises(RuntimeError, match=r"^ATELIER_DEVICE is 'cuda:7', but"):
        choose_device()
