"""Asks a chat model: text in, text or JSON out."""
