"""The thin HTTP API."""
