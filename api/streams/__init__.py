"""What is held open until a job has news: event streams, and waiting for the end.

events.py       server-sent events of one job, and `?wait`
event_urls.py   URLs by which a web page opens a stream
watching.py     one thread that sees jobs change
hangups.py      one thread that sees who has gone
"""
