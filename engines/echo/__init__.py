"""A diagnostic engine: no torch, no files, a result that can be checked."""
