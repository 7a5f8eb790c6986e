"""What the API says of itself.

Made of the routes, the wire models and the engines' params: nothing is written twice.

    operations.py      each route's own words: who may call it, what it takes and answers
    openapi.py         the OpenAPI document, made of them
    documentation.py   that document and its page, served
"""
