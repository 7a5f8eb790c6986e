"""How long a test waits for what comes at once where nothing else runs: on a busy machine it comes late."""

#: Seconds. Below the time a test may take in all (pyproject.toml), so that it says what it waited for.
PATIENCE = 90.0
