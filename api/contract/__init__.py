"""What the API says of itself.

operations.py      each route's own words: who may call it, what it takes and answers
openapi.py         the OpenAPI document, made of them
documentation.py   that document and its page, served
"""
