"""How updates and files come to the bot: getUpdates, the webhook, getFile."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tests.telegram.errors import bad_request, conflict
from tests.telegram.media import MEGABYTE
from tests.telegram.parameters import Json, Parameters
from tests.telegram.session import Session
from tests.telegram.updates import USUAL
from tests.telegram.webhook import Webhook

DOWNLOAD_BYTES = 20 * MEGABYTE
LONGEST_POLL = 50
WEBHOOK_PORTS = (80, 88, 443, 8443)
WEBHOOK_IS_SET = (
    "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


async def get_updates(session: Session, call: Parameters) -> list[Json]:
    if session.webhook:
        raise conflict(WEBHOOK_IS_SET)
    _allow(session, call)
    limit = min(max(call.integer("limit", 100), 1), 100)
    timeout = min(max(call.integer("timeout"), 0), LONGEST_POLL)
    found = await session.polling.wait(call.integer("offset"), limit, timeout)
    return [update.json() for update in found]


async def set_webhook(session: Session, call: Parameters) -> bool:
    url = call.text("url")
    if not url:
        return await delete_webhook(session, call)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise bad_request("bad webhook: Failed to parse URL")
    if session.https_only and parts.scheme != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if session.https_only and (parts.port or 443) not in WEBHOOK_PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
    secret = call.text("secret_token")
    if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
        raise bad_request("secret token contains unallowed characters")
    connections = call.integer("max_connections", 40)
    if not 1 <= connections <= 100:
        raise bad_request("max_connections must be between 1 and 100")
    certificate = call.uploads.get("certificate")
    _allow(session, call)
    await session.close()
    _drop(session, call)
    session.polling.end(conflict("terminated by setWebhook request"))
    session.webhook = Webhook(
        session.world.updates,
        url,
        secret=secret,
        connections=connections,
        certificate=certificate.data.decode() if certificate else None,
        backoff=session.webhook_backoff,
    )
    return True


async def delete_webhook(session: Session, call: Parameters) -> bool:
    await session.close()
    _drop(session, call)
    return True


async def get_webhook_info(session: Session, _call: Parameters) -> Json:
    updates = session.world.updates
    info: Json = {"url": "", "has_custom_certificate": False}
    if session.webhook:
        info = session.webhook.describe()
    if updates.allowed != USUAL:
        info["allowed_updates"] = sorted(updates.allowed)
    return {**info, "pending_update_count": len(updates.pending())}


async def get_file(session: Session, call: Parameters) -> Json:
    file_id = call.text("file_id")
    if not file_id:
        raise bad_request("file_id not specified")
    blob, path = session.world.files.publish(file_id)
    size = len(blob.data)
    if size > DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    return {"file_id": file_id, "file_unique_id": blob.unique_id, "file_size": size, "file_path": path}


def _allow(session: Session, call: Parameters) -> None:
    allowed = call.structure("allowed_updates")
    if allowed is not None:
        session.world.updates.allowed = frozenset(allowed) or USUAL


def _drop(session: Session, call: Parameters) -> None:
    if call.flag("drop_pending_updates"):
        session.world.updates.clear()


METHODS = {
    "getUpdates": get_updates,
    "setWebhook": set_webhook,
    "deleteWebhook": delete_webhook,
    "getWebhookInfo": get_webhook_info,
    "getFile": get_file,
}
