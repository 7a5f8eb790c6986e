"""`atelier weights`, without a download."""

from __future__ import annotations


def test_weights_are_listed_and_located(run, tmp_path):
    assert "vgg19" in run("weights", "list").output
    assert run("weights", "path").output.strip() == str(tmp_path / "data" / "weights")
    assert run("weights", "verify", "vgg19").exit_code == 1
    assert "unknown weights" in run("weights", "path", "nothing").output
