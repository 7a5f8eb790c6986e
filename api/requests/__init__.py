"""What comes in, before anything is done about it: how much may come at once, and what it says.

Nothing here knows what is asked for, but how it may come.

    admission.py    what a request holds until it is answered
    slots.py        places that requests may hold
    budget.py       bytes that they may take into memory
    paths.py        a path has one spelling
    codings.py      compressed bodies
    reading.py      query, JSON and headers as plain values
    data_uris.py    where a JSON text has pictures in it
    submission.py   the body of `POST /v1/jobs`
    json_keys.py    keys that stand twice in one object
    languages.py    in which language to answer
"""
