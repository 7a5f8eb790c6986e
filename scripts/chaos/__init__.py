"""A real system, real work, real faults at random, and an audit from outside. See docs/chaos.md.

options     what the command line says
processes   supervised processes: what died is started again, and at the end nothing is left
servers     PostgreSQL, Redis and an S3-speaking server that can be stopped, frozen and restarted
house       all of it together: the servers, 2 APIs, workers, 2 sweepers, a dispatcher
orders      what the clients want, drawn from the seed
clients     who submit, submit again, cancel; they know what was promised to them
receiver    hears the webhooks and checks their signatures
faults      what goes wrong, drawn from the seed
evidence    what can be seen afterwards: over REST, in the database, in the object store
audit       what of it breaks a promise
report      the table
"""
