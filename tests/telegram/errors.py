"""What the Bot API answers when it does not do what was asked. The words are those of the real server."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """An answer `{"ok": false}`."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        #: `retry_after` or `migrate_to_chat_id`.
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        """The JSON answer."""
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            body["parameters"] = self.parameters
        return body


def bad_request(text: str) -> ApiError:
    return ApiError(400, f"Bad Request: {text}")


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized")


def forbidden(text: str) -> ApiError:
    return ApiError(403, f"Forbidden: {text}")


def not_found(text: str = "") -> ApiError:
    return ApiError(404, f"Not Found: {text}" if text else "Not Found")


def conflict(text: str) -> ApiError:
    return ApiError(409, f"Conflict: {text}")


def too_large() -> ApiError:
    return ApiError(413, "Request Entity Too Large")


def too_many(seconds: int) -> ApiError:
    return ApiError(429, f"Too Many Requests: retry after {seconds}", retry_after=seconds)
