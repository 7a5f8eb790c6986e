"""What is held open until a job has news: event streams, and waiting for the end.

Each of them holds a thread, asleep; all of a process share the two that look.

    events.py       server-sent events of one job, and `?wait`
    event_urls.py   URLs by which a web page opens a stream
    watching.py     one thread that sees jobs change
    hangups.py      one thread that sees who has gone
"""
