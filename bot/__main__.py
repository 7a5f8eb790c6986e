"""`python -m bot`: one process of the bot, as its environment says (`bot.settings`)."""

from __future__ import annotations

import logging
import sys

from pydantic import ValidationError
from telegram.error import InvalidToken

from bot.app import run
from bot.settings import Settings

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main() -> int:
    """The exit status: 0 after a signal, 2 where it cannot run as it is told to."""
    logging.basicConfig(format=_FORMAT, stream=sys.stderr)
    try:
        settings = Settings.from_env()
        level = logging.getLevelNamesMapping()[settings.log_level.upper()]
        logging.getLogger().setLevel(level)
        # They log every request's URL, and the bot's token is a part of that; and what people wrote.
        for telling in ("httpx", "httpcore", "telegram"):
            logging.getLogger(telling).setLevel(max(level, logging.WARNING))
        run(settings)
    except ValidationError as error:
        for one in error.errors():
            field = ".".join(map(str, one["loc"])) or "settings"
            logging.critical("%s: %s", field, one["msg"])
        return 2
    except InvalidToken:
        logging.critical("Telegram does not know this token")
        return 2
    except OSError as error:
        logging.critical("%s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
