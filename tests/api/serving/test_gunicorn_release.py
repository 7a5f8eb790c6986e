"""Private parts of gunicorn are reached in the releases that were tried, and in no other."""

from __future__ import annotations

import gunicorn
import pytest

from api.serving.gunicorn_release import TRIED, require_tried


def test_the_release_that_is_locked_was_tried():
    require_tried()


@pytest.mark.parametrize("major", [TRIED[0] - 1, TRIED[-1] + 1])
def test_another_release_is_refused_in_words(monkeypatch, major):
    monkeypatch.setattr(gunicorn, "version_info", (major, 0, 0))
    monkeypatch.setattr(gunicorn, "__version__", f"{major}.0.0")

    with pytest.raises(SystemExit, match=rf"gunicorn {major}\.0\.0 was not tried.*requirements/api\.txt"):
        require_tried()
