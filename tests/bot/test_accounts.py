"""Whose account a person gets, and what the API is asked for it."""

from __future__ import annotations

import json

import httpx
import pytest

from bot.accounts import Accounts, NotAllowed
from bot.notes import Notes
from bot.settings import Settings
from bot.studio import Studio
from client import AsyncClient, Refused

pytestmark = pytest.mark.anyio

TOKEN = "42:abc"
ADA, OLGA = 7, 8


class Atelier:
    """The part of the API that makes keys."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, object]]] = []
        self.revoked: set[str] = set()
        self.away = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content or b"{}")
        if request.url.path.startswith("/v1/me"):
            return self._own(request)
        self.asked.append((request.method, request.url.path, body))
        if request.url.path == "/v1/keys":
            return httpx.Response(201, json={"key": "k1", "user_id": "usr_1", "user": body["user"]})
        if request.url.path == "/v1/link-codes/redeem":
            if body["code"] != "link_good":
                return httpx.Response(404, json={"code": "not_found", "detail": "no such code"})
            return httpx.Response(201, json={"key": "k2", "user_id": "usr_2", "user": "grace"})
        assert request.url.path.startswith("/v1/owners/"), request.url
        return httpx.Response(200, json={})

    def _own(self, request: httpx.Request) -> httpx.Response:
        """A key may look at itself and end itself."""
        if self.away:
            raise httpx.ConnectError("away")
        key = request.headers["Authorization"].removeprefix("Bearer ")
        if key in self.revoked:
            return httpx.Response(401, json={"code": "unauthorized", "detail": "no such key"})
        if request.method == "DELETE":
            assert request.url.path == f"/v1/me/keys/key_of_{key}"
            self.revoked.add(key)
            return httpx.Response(204)
        return httpx.Response(200, json={"id": f"key_of_{key}"})


@pytest.fixture
def atelier() -> Atelier:
    return Atelier()


@pytest.fixture
def accounts(notes: Notes, atelier: Atelier):
    def make(**settings: object) -> Accounts:
        admin = AsyncClient("http://atelier", "admin", transport=httpx.MockTransport(atelier))
        return Accounts(Settings(token=TOKEN, **settings), Studio(admin), notes)

    return make


async def test_a_guest_is_made_once_and_limited(accounts, atelier):
    guests = accounts(guests=True, guest_queued=2, guest_running=1, guest_keep_days=3)
    account = await guests.of(ADA)

    assert (account.key, account.owner, account.guest) == ("k1", f"telegram-{ADA}", True)
    assert await guests.of(ADA) == account
    assert [asked[:2] for asked in atelier.asked] == [("POST", "/v1/keys"), ("PATCH", "/v1/owners/usr_1")]
    assert atelier.asked[1][2] == {"max_queued": 2, "max_running": 1, "keep_days": 3.0}


async def test_operators_have_no_guest_s_limits(accounts, atelier):
    await accounts(admins=frozenset({OLGA})).of(OLGA)

    assert [asked[1] for asked in atelier.asked] == ["/v1/keys"]


async def test_nobody_comes_in_by_default(accounts, atelier):
    closed = accounts()
    with pytest.raises(NotAllowed):
        await closed.of(ADA)
    assert not await closed.is_allowed(ADA)
    assert atelier.asked == []


async def test_who_has_linked_an_account_needs_no_invitation(accounts):
    closed = accounts()
    account = await closed.link(ADA, "link_good")

    assert (account.owner, account.guest) == ("grace", False)
    assert await closed.of(ADA) == account
    assert await closed.is_allowed(ADA)


async def test_a_guest_of_yesterday_is_none_when_the_door_is_closed(accounts):
    await accounts(guests=True).of(ADA)
    with pytest.raises(NotAllowed):
        await accounts().of(ADA)


async def test_a_wrong_code_changes_nothing(accounts, notes):
    with pytest.raises(Refused):
        await accounts(guests=True).link(ADA, "link_bad")
    assert await notes.account(ADA) is None


async def test_a_key_that_is_replaced_is_revoked(accounts, atelier):
    guests = accounts(guests=True)
    await guests.of(ADA)
    assert not atelier.revoked

    linked = await guests.link(ADA, "link_good")

    assert atelier.revoked == {"k1"}
    assert await guests.of(ADA) == linked


@pytest.mark.parametrize("trouble", ["away", "revoked before"])
async def test_a_key_that_cannot_be_revoked_keeps_nobody_from_linking(accounts, atelier, trouble):
    guests = accounts(guests=True)
    await guests.of(ADA)
    atelier.away = trouble == "away"
    atelier.revoked = set() if atelier.away else {"k1"}

    assert (await guests.link(ADA, "link_good")).key == "k2"


async def test_a_refused_key_is_forgotten_only_if_it_is_still_the_one(accounts, atelier):
    guests = accounts(guests=True)
    await guests.of(ADA)
    linked = await guests.link(ADA, "link_good")

    # an update of another chat still had the old key
    assert await guests.renew(ADA)
    assert await guests.of(ADA) == linked

    atelier.revoked.add("k2")
    assert not await guests.renew(ADA), "who linked has to link again"
    assert not await guests.renew(ADA), "there is none"
