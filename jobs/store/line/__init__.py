"""The line of a queue: who stands where in it, who moves up, who is taken (docs/adr/0009).

admitting.py   where a new job stands, and which of an owner's move up from behind the line
turns.py       which turn a job gets when it enters the line, and the queue's clock
claiming.py    the claim
order.py       hold, release, move; where a job stands
places.py      where many jobs stand
fit.py         whose jobs behind the line could move up
waiting.py     how many of an owner's jobs wait and run
own.py         an owner's jobs beside the one that a statement is about
"""
