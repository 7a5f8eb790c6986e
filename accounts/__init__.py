"""Who owns jobs and files: owners and their limits, their keys, the codes by which they hand one on.

    store.py        AccountStore: all of it, in one database
    owners.py       owners, and the limits that each may have of their own
    limits.py       what holds for an owner
    keys.py         bearer keys
    link_codes.py   codes that become a key, once

Their tables are in `jobs.models.account`: jobs and files refer to them.
"""
