"""The server around the application: gunicorn, and what it is kept from. Its configuration is `api.gunicorn`.

connections.py        its worker, whose slow clients hold no thread
pacing.py             a connection that holds a thread no longer than it may
refusals.py           its own refusals as problem documents
gunicorn_release.py   the releases that these were made for
allocator.py          memory goes back to the system
left_out.py           and what nobody needs is not loaded
"""
