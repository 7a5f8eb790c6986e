"""Who asks, and whether they may: keys, limits, signed URLs.

auth.py        the bearer key of a request
keyring.py     who a key belongs to, remembered for a few seconds
limits.py      requests a minute of each owner
strangers.py   wrong keys are slowed
signing.py     URLs that carry their own permission
cors.py        web pages of other origins
"""
