"""`atelier webhooks` against a whole system, and a receiver of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from standardwebhooks.webhooks import Webhook

from tests.cli.conftest import wait_until
from tests.receivers import Receiver, receiver

pytestmark = pytest.mark.waits


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def test_a_webhook_from_its_making_to_its_end(atelier, server, tmp_path):
    # given
    made = atelier("webhooks", "add", server.url, "--event", "started", "--event", "succeeded")
    assert made.returncode == 0, made.stderr
    secret, webhook_id = made.stdout.strip(), made.stderr.split()[0]
    listed = atelier("webhooks", "list")
    assert webhook_id in listed.stdout
    assert server.url in listed.stdout
    assert secret not in listed.stdout
    # when
    done = atelier("run", "echo", "--text", "x", "-o", str(tmp_path))
    assert done.returncode == 0, done.stderr
    # then
    wait_until(lambda: len(server.seen) >= 2)
    told = {Webhook(secret).verify(m.body, m.headers)["type"]: m for m in server.seen}
    assert set(told) == {"job.started", "job.succeeded"}
    sent = told["job.succeeded"].id
    wait_until(lambda: sent in atelier("webhooks", "deliveries", "--state", "delivered").stdout)
    shown = atelier("webhooks", "deliveries", sent)
    assert "answered 204" in shown.stdout
    assert '"job.succeeded"' in shown.stdout
    # and again
    assert atelier("webhooks", "redeliver", sent).returncode == 0
    wait_until(lambda: server.ids().count(sent) == 2)
    page = json.loads(atelier("webhooks", "deliveries", "--webhook", webhook_id, "--json").stdout)
    assert len(page["deliveries"]) == 2
    # until it is removed
    assert atelier("webhooks", "remove", webhook_id).returncode == 0
    assert webhook_id not in atelier("webhooks", "list").stdout
    assert atelier("webhooks", "remove", webhook_id).returncode == 1
    assert sent not in atelier("webhooks", "deliveries").stdout


def test_the_secret_of_single_jobs(atelier):
    first = atelier("webhooks", "secret").stdout.strip()
    second = atelier("webhooks", "secret", "--rotate").stdout.strip()

    assert first.startswith("whsec_")
    assert atelier("webhooks", "secret").stdout.strip() == second != first


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("add", "ftp://example.com/"), 1, "url"),
        (("add", "https://a:b@example.com/"), 1, "password"),
        (("add", "https://example.com/", "--event", "done"), 2, "--event"),
        (("add",), 2, "URL"),
        (("deliveries", "msg_1"), 1, ""),
        (("redeliver",), 2, "DELIVERY_IDS"),
    ],
)
def test_what_is_wrong_is_said(atelier, arguments, code, says):
    tried = atelier("webhooks", *arguments)

    assert tried.returncode == code
    assert says in tried.stderr
    assert "Traceback" not in tried.stderr
