"""What comes in, before anything is done about it: how much may come at once, and what it says.

admission.py    what a request holds until it is answered
slots.py        places that requests may hold
budget.py       bytes that they may take into memory
paths.py        a path has one spelling
codings.py      compressed bodies
reading.py      query, JSON and headers as plain values
submission.py   the body of `POST /v1/jobs`
json_keys.py    keys that stand twice in one object
data_uris.py    where its pictures are
languages.py    in which language to answer
"""
