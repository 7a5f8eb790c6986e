"""Owner of ATELIER_URL and ATELIER_KEY: which server, and with which key, where a program does not say."""

from __future__ import annotations

import os

DEFAULT_URL = "http://127.0.0.1:8080"


def chosen_url() -> str | None:
    """ATELIER_URL, if it is set."""
    return os.environ.get("ATELIER_URL", "").strip().rstrip("/") or None


def chosen_key() -> str | None:
    """ATELIER_KEY, if it is set."""
    return os.environ.get("ATELIER_KEY", "").strip() or None
