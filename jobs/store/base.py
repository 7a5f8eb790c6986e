"""What every side of the store shares: the database."""

from jobs.database import Database


class StoreBase:
    """Holds the database; one method of a subclass is one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database
