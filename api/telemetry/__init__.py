"""What operators see: a log line a request, and what Prometheus reads.

tracing.py          each request's id, its line, its place in the metrics
metrics.py          counts of requests, from every process
system_metrics.py   jobs, queues, workers, webhooks
aside.py            an answer that may take long, asked for by a thread of its own
"""
