"""What goes out and is no JSON: files, archives; and what every answer says.

content.py          the bytes of a stored file
archive.py          several files as one ZIP, written while it is sent
archive_answer.py   that of a job's results
headers.py          what every answer tells a browser
"""
