"""Link codes: one key for each, whoever asks at once; none after their time."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, update

from accounts.keys import digest
from accounts.link_codes import CODE_SECONDS, MOST_CODES
from accounts.store import AccountStore
from jobs.clock import now
from jobs.errors import NotFound
from jobs.models import LinkCode
from workers.expiry import OldCodes


@pytest.fixture
def accounts(database):
    return AccountStore(database)


@pytest.fixture
def ada(accounts):
    """A key's row."""
    return accounts.create_key("ada", rate_per_minute=7, max_upload_bytes=1000)[1]


@pytest.fixture
def code(accounts, ada):
    return accounts.create_code(ada.user_id, ada.id)[0]


def kept(accounts):
    return accounts.database.read(
        lambda c: c.execute(select(func.count()).select_from(LinkCode)).scalar_one()
    )


def expire(accounts, code):
    ending = update(LinkCode).where(LinkCode.digest == digest(code)).values(expires_at=now(-0.01))
    accounts.database.write(lambda c: c.execute(ending))


def refused(accounts, code):
    with pytest.raises(NotFound) as error:
        accounts.redeem(code)
    assert error.value.problem_code == "link_code_not_found"
    return error.value.detail


def test_a_code_becomes_one_key_of_its_owner(accounts, ada, code):
    key, row = accounts.redeem(code, name="telegram")
    assert (row.user_id, row.user_name, row.name) == (ada.user_id, "ada", "telegram")
    assert accounts.authenticate(key).id == row.id
    assert (row.digest, row.prefix, row.revoked_at) == (digest(key), key[:12], None)
    assert kept(accounts) == 0


def test_the_key_has_the_limits_of_the_one_that_asked_and_is_no_admin_key(accounts):
    root = accounts.create_key("root", admin=True, rate_per_minute=9, max_upload_bytes=5)[1]
    _, row = accounts.redeem(accounts.create_code(root.user_id, root.id)[0])
    assert (row.admin, row.rate_per_minute, row.max_upload_bytes) == (False, 9, 5)


def test_a_code_fits_a_deep_link_and_is_known_by_its_digest_only(accounts, ada):
    code, expires_at = accounts.create_code(ada.user_id, ada.id)
    assert re.fullmatch("link_[A-Za-z0-9_-]{32}", code)
    (row,) = accounts.database.read(lambda c: list(c.execute(select(LinkCode.__table__))))
    assert row.digest == digest(code)
    assert code.removeprefix("link_") not in str(tuple(row))
    left = (
        expires_at - accounts.database.read(lambda c: c.execute(select(now())).scalar_one())
    ).total_seconds()
    assert CODE_SECONDS - 30 < left <= CODE_SECONDS


def test_wrong_used_expired_and_revoked_codes_are_refused_alike(accounts, ada, code):
    accounts.redeem(code)
    late = accounts.create_code(ada.user_id, ada.id)[0]
    expire(accounts, late)
    leaked = accounts.create_key("ada")[1]
    void = accounts.create_code(leaked.user_id, leaked.id)[0]
    accounts.revoke(leaked.id)
    before = len(accounts.keys())
    said = {refused(accounts, one) for one in ("", "link_", code + "x", code.upper(), code, late, void)}
    assert len(said) == 1
    assert len(accounts.keys()) == before


def at_once(count, work):
    """What each thread got, or the NotFound it met."""
    start = threading.Barrier(count)

    def one(number):
        start.wait()
        try:
            return work(number)
        except NotFound as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_redeemed_by_many_at_once_it_is_one_key(accounts, ada):
    for _ in range(10):
        code = accounts.create_code(ada.user_id, ada.id)[0]
        before = len(accounts.keys())
        got = at_once(8, lambda n, code=code: accounts.redeem(code, name=str(n)))
        keys = [one for one in got if not isinstance(one, NotFound)]
        assert len(keys) == 1
        assert len(accounts.keys()) == before + 1
        assert accounts.authenticate(keys[0][0]) is not None


def test_an_owner_has_a_handful_and_the_newest_work(accounts, ada, code):
    bobs = accounts.create_key("bob")[1]
    other = accounts.create_code(bobs.user_id, bobs.id)[0]
    newest = [accounts.create_code(ada.user_id, ada.id)[0] for _ in range(MOST_CODES)]
    assert kept(accounts) == MOST_CODES + 1
    refused(accounts, code)
    for one in (*newest, other):
        accounts.redeem(one)


def test_made_by_many_at_once_they_are_a_handful(accounts, ada):
    at_once(8, lambda _: [accounts.create_code(ada.user_id, ada.id) for _ in range(3)])
    assert kept(accounts) == MOST_CODES


def test_a_transaction_whose_commit_was_not_heard_of_may_be_repeated(accounts, ada, monkeypatch):
    write = accounts.database.write

    def twice(work):
        write(work)
        return write(work)

    monkeypatch.setattr(accounts.database, "write", twice)
    code, expires_at = accounts.create_code(ada.user_id, ada.id)
    assert kept(accounts) == 1
    key, row = accounts.redeem(code)
    assert accounts.authenticate(key).id == row.id
    assert len(accounts.keys()) == 2
    assert expires_at > row.created_at


def test_the_sweeper_looks_for_expired_codes(accounts, ada):
    expire(accounts, accounts.create_code(ada.user_id, ada.id)[0])
    assert not OldCodes(accounts).look()
    assert kept(accounts) == 0


def test_the_sweeper_deletes_what_has_expired(accounts, ada):
    codes = [accounts.create_code(ada.user_id, ada.id)[0] for _ in range(4)]
    for code in codes[:3]:
        expire(accounts, code)
    assert accounts.expire_codes(limit=2) == 2
    assert accounts.expire_codes(limit=2) == 1
    assert accounts.expire_codes(limit=2) == 0
    assert kept(accounts) == 1
    accounts.redeem(codes[3])
