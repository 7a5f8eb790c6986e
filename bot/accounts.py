"""Whose jobs a person's are: a guest's owner of the bot's making, or the account that the person linked."""

from __future__ import annotations

import logging

from bot.notes import Account, Notes
from bot.settings import Settings
from bot.studio import Studio
from client import ApiError, Json, Refused

#: What the keys are called, where people see their keys.
KEY_NAME = "Telegram bot"
#: Requests a minute with one person's key: a tap costs a few.
RATE_PER_MINUTE = 240

_log = logging.getLogger(__name__)


class NotAllowed(Exception):
    """This person may not use the bot."""


class Accounts:
    """The people of one bot. Every call raises the errors of `client` and redis.RedisError."""

    def __init__(self, settings: Settings, api: Studio, notes: Notes) -> None:
        self._settings = settings
        self._api = api
        self._notes = notes

    async def of(self, user: int) -> Account:
        """The account of a person, made at the first call for a guest. Raises NotAllowed."""
        account = await self._notes.account(user)
        if account is not None and (not account.guest or self._is_welcome(user)):
            return account
        if not self._is_welcome(user):
            raise NotAllowed
        return await self._make_guest(user)

    async def is_allowed(self, user: int) -> bool:
        """Whether `of` would give an account."""
        if self._is_welcome(user):
            return True
        account = await self._notes.account(user)
        return account is not None and not account.guest

    async def link(self, user: int, code: str) -> Account:
        """Let a person act for the account that this code is of. Raises Refused (404) for no such code."""
        account = _account(await self._api.admin.redeem(code, KEY_NAME), guest=False)
        before = await self._notes.account(user)
        await self._notes.set_account(user, account)
        if before is not None:
            await self._revoke(before)
        return account

    async def renew(self, user: int) -> bool:
        """The API refused the person's key; whether they have, or will get, one that it takes.

        A guest gets another one; who linked has to link again.
        """
        account = await self._notes.account(user)
        if account is None:
            return False
        try:
            await self._api.of(account.key).me()
        except Refused as error:
            if not is_bad_key(error):
                raise
        else:
            return True  # replaced meanwhile, by a link in another chat
        await self._notes.forget_account(user)
        return account.guest

    async def _revoke(self, account: Account) -> None:
        """End a key that nobody will use any more; with it, as anybody may with their own."""
        try:
            own = self._api.of(account.key)
            await own.revoke_key(await own.me())
        except ApiError as error:
            # It was ended before, or lives on unused: no reason to refuse the new one.
            _log.warning("a key of %s could not be revoked: %s", account.owner, error)

    def _is_welcome(self, user: int) -> bool:
        """Whether the operator lets this person in without an account."""
        return self._settings.guests or user in self._settings.allow or user in self._settings.admins

    async def _make_guest(self, user: int) -> Account:
        made = await self._api.admin.make_key(
            f"telegram-{user}", name=KEY_NAME, rate_per_minute=RATE_PER_MINUTE
        )
        account = _account(made, guest=True)
        if user not in self._settings.admins:
            # Before the key is used; a process that dies in between makes another key, and limits again.
            await self._api.admin.limit_owner(
                account.owner_id,
                max_queued=self._settings.guest_queued,
                max_running=self._settings.guest_running,
                keep_days=self._settings.guest_keep_days,
            )
        await self._notes.set_account(user, account)
        _log.info("a new guest: %s", account.owner)
        return account


def is_bad_key(error: Exception) -> bool:
    """Whether the API does not know a key any more."""
    return isinstance(error, Refused) and error.status == 401


def _account(made: Json, *, guest: bool) -> Account:
    return Account(key=made["key"], owner_id=made["user_id"], owner=made["user"], guest=guest)
