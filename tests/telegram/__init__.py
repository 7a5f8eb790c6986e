"""A local server that speaks the documented Telegram Bot API, and the people who talk to the bot.

`server.BotApi` is where to start: it runs in a thread of its own on a loopback port.
"""
