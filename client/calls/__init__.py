"""Every request the API takes, as a value: built here, sent by whichever client."""
