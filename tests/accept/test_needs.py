"""What params need that may not be installed."""

from __future__ import annotations

import pytest

from accept.needs import require_weights
from jobs.errors import WeightsMissing


@pytest.fixture(autouse=True)
def _nothing_here(monkeypatch, tmp_path):
    monkeypatch.setenv("ATELIER_WEIGHTS_DIR", str(tmp_path))


def test_nothing_is_always_there(means):
    require_weights(means.fleet, ())


def test_it_is_there_where_a_live_worker_has_it(means):
    with pytest.raises(WeightsMissing) as refused:
        require_weights(means.fleet, ["vgg19"])
    assert "atelier weights pull vgg19" in refused.value.detail
    means.fleet.report(
        "wrk_1", hostname="h", pid=1, queues=["gpu"], engines=["neural_style"], weights=["vgg19"], device=None
    )
    require_weights(means.fleet, ["vgg19"])


def test_where_it_lies_here_nobody_is_asked(means, tmp_path):
    (tmp_path / "vgg19-dcbb9e9d.pth").touch()
    require_weights(means.fleet, ["vgg19"])


def test_a_secret_or_a_service_that_nobody_has_now_is_waited_for(means):
    require_weights(means.fleet, ["provider:chat", "secret:chat"])
