"""Private names of gunicorn are used in the releases that were tried, and in no other."""

from __future__ import annotations

import gunicorn
import pytest
from gunicorn.http import parser

from api.gunicorn_private import TRIED, drain


def test_the_release_that_is_locked_was_tried(monkeypatch):
    monkeypatch.setattr(parser, "_DRAIN_MAX_BYTES", 64 * 1024)

    assert drain(5_000_000)

    assert parser._DRAIN_MAX_BYTES == 5_000_000


@pytest.mark.parametrize("change", ["newer", "without the name", "of another type"])
def test_another_release_is_left_alone_and_told_of(monkeypatch, change):
    monkeypatch.setattr(parser, "_DRAIN_MAX_BYTES", 64 * 1024)
    if change == "newer":
        monkeypatch.setattr(gunicorn, "version_info", (TRIED[-1] + 1, 0, 0))
    elif change == "without the name":
        monkeypatch.delattr(parser, "_DRAIN_MAX_BYTES")
    else:
        monkeypatch.setattr(parser, "_DRAIN_MAX_BYTES", "64k")
    before = getattr(parser, "_DRAIN_MAX_BYTES", None)

    with pytest.warns(RuntimeWarning, match="was not tried"):
        assert not drain(5_000_000)

    assert getattr(parser, "_DRAIN_MAX_BYTES", None) == before
