"""Puts many pictures onto one: in a grid, in rows that fit their shapes, in a strip."""
