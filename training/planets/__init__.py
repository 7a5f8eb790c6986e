"""Preparing pictures of planets, training the planet engines on them, and measuring what came of it."""
