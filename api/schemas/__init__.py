"""The wire models: what crosses HTTP, and nothing else. `snake_case`, opaque ids, RFC 3339 UTC times.

    jobs.py           a job as its owner sees it, and what is said of one that would be
    job_requests.py   what is asked for with a job
    files.py          a stored file
    networks.py       networks
    engines.py        what an engine says of itself
    usage.py          what jobs used
    problems.py       what went wrong

What one route alone takes or answers stands with the route. What every job may be asked for with is
`accept.wire`.
"""
