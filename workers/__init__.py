"""The processes that run jobs. Nothing here imports torch; `engines.load` does."""
