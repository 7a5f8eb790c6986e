"""How networks are made: one folder an engine, and beside them what all share."""
