"""What may come in: every file of a stranger's passes a door before anything else reads it.

Uploads and `data:` URIs pass in the API, fetched URLs in the workers.

    door.py         inspect(source, accept): what file this is, or why it is not taken
    base.py         FileInfo, and the errors and the room that all doors share
    media_types.py  the media types of each family, and what their files are called
    images.py       pictures, decoded once; image_*.py: types, headers, costs, the one way to open a picture
    audio.py        sounds, and films with sound, read by a child process; audio_*.py: types, index, the child
    text.py         texts in UTF-8
    child.py        a process of little memory and time that looks at a file; confined.py: its own part

A family of files more is a file more here, its types in `media_types` and a line in `door`.
"""
