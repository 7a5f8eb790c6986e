"""The workers, seen from the house: who is alive and can do what, and what operators tell them.

    store.py   FleetStore: reports, orders, quarantine
    locks.py   named locks, by which processes agree who does what

Their tables are in `jobs.models.fleet`. Which jobs they hold is the jobs' to say (`jobs.store`).
"""
