"""Benchmarks: each a command, with what they share beside them."""
