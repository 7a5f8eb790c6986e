"""The `atelier` command: an HTTP client of the API, and the process tree of the embedded system."""
