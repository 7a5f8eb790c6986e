"""What is to be made again and again: when, and for whom. Jobs are made of it by `accept.scheduled`.

    times.py   cron text and a time zone: whether they can be had, and which moments they mean
    keys.py    the idempotency key by which each due time makes one job
    store.py   ScheduleStore: owners' schedules, and those that are due

The tables are in `jobs.models.schedule`; `workers.schedules` fires what is due.
"""
