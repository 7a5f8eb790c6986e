"""Networks in foreign files: official pickles, read without running anything they hold."""
