"""A chain of engines as one job: what one stage makes, a later one takes."""
