"""The Telegram bot: a client of the API, with its notes in Redis (docs/adr/0012)."""
