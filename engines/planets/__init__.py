"""Planets: new worlds by a class-conditional DCGAN."""
