"""Who is told of jobs, and what came of it. What is told is written with the change (`jobs.store.outbox`).

    endpoints.py    WebhookStore: owners' endpoints, and what signs the messages
    addresses.py    which addresses they may have
    deliveries.py   DeliveryStore: the outbox as dispatchers, owners and the sweeper use it

`workers.webhooks` sends. The tables are in `jobs.models.webhook`.
"""
