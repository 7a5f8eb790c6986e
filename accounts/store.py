"""AccountStore: owners, their keys and codes; and the secret that API processes share."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, select

from accounts.keys import Keys
from accounts.link_codes import LinkCodes
from accounts.owners import Owners
from jobs.models import Secret
from jobs.sql import insert_or


class AccountStore(Owners, Keys, LinkCodes):
    """Owners and keys, in one database."""

    def shared_secret(self, name: str) -> str:
        """The random secret of this name, made by whoever asks first."""

        def work(connection: Connection) -> str:
            connection.execute(
                insert_or(connection, Secret)
                .values(name=name, value=secrets.token_urlsafe(48))
                .on_conflict_do_nothing()
            )
            return str(connection.execute(select(Secret.value).where(Secret.name == name)).scalar_one())

        return self.database.write(work)
