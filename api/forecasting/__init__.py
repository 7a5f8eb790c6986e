"""When a job will start and end, from what such jobs took.

forecast.py   what is in front of it, and who works on that
speed.py      what a job takes
depths.py     which backlogs are too deep to count
"""
