"""When a job will start and end, from what such jobs took.

Measured, not promised: where there is nothing to measure by, nothing is said.

    forecast.py   what is in front of it, and who works on that
    speed.py      what a job takes
    depths.py     which backlogs are too deep to count
"""
