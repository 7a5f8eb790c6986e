"""What a button carries: a verb and its arguments, in the 64 bytes of Telegram's callback_data.

It comes back from the user's device, so it is checked like anything else that people send.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

#: Bytes of callback_data (Bot API, InlineKeyboardButton).
MAX_BYTES = 64
#: Changes when a verb changes its meaning: buttons of old messages are refused then, not misread.
_VERSION = "1"
_SEPARATOR = ":"

# Of a form (bot/dialogue.py). The first argument is its digest; fields and choices are indices.
GO = "g"
ASK = "a"  # digest, field, page
SET = "s"  # digest, field, choice
CLEAR = "c"  # digest, field
BACK = "b"  # digest
MORE = "m"  # digest
PAGE = "k"  # digest, page
CLOSE = "x"  # digest

# Of menus.
MENU = "n"  # page
ENGINE = "e"  # name
STYLE = "y"  # number of a style picture in the gallery; "own" for one's own
ALBUM = "p"  # what an album's pictures are to become

# Of a job; the argument is its id.
CANCEL = "jc"
AGAIN = "ja"
VARIATION = "jv"
STRONGER = "js"
WEAKER = "jw"
USE = "ju"  # job, number of the picture
SHARE = "jh"
FULL = "jf"
RETRY = "jr"
JOBS = "jl"  # page

# Of the settings.
SETTINGS = "o"
LANGUAGE = "ol"
SIZE = "os"
QUALITY = "oq"

# Of operators.
FLEET = "af"
QUEUE = "aq"
DRAIN = "ad"  # worker
RESUME = "ar"  # worker

#: How many arguments each verb has: fewest and most.
VERBS: dict[str, tuple[int, int]] = {
    GO: (1, 1),
    ASK: (3, 3),
    SET: (3, 3),
    CLEAR: (2, 2),
    BACK: (1, 1),
    MORE: (1, 1),
    PAGE: (2, 2),
    CLOSE: (1, 1),
    MENU: (0, 1),
    ENGINE: (1, 1),
    STYLE: (1, 1),
    ALBUM: (1, 2),
    CANCEL: (1, 1),
    AGAIN: (1, 1),
    VARIATION: (1, 1),
    STRONGER: (1, 1),
    WEAKER: (1, 1),
    USE: (1, 2),
    SHARE: (1, 1),
    FULL: (1, 1),
    RETRY: (1, 1),
    JOBS: (0, 1),
    SETTINGS: (0, 0),
    LANGUAGE: (0, 1),
    SIZE: (0, 1),
    QUALITY: (0, 1),
    FLEET: (0, 1),
    QUEUE: (0, 1),
    DRAIN: (1, 1),
    RESUME: (1, 1),
}


#: What `dialogue.apply` understands.
OF_A_FORM = frozenset({GO, ASK, SET, CLEAR, BACK, MORE, PAGE, CLOSE})


class BadCallback(ValueError):
    """A button of an older bot, or none of ours."""


class TooLong(ValueError):
    """These arguments do not fit into a button."""


def pack(verb: str, *args: str | int) -> str:
    """The callback_data of a button. Raises TooLong, and ValueError for arguments the verb does not have."""
    fewest, most = VERBS[verb]
    if not fewest <= len(args) <= most:
        raise ValueError(f"{verb!r} takes {fewest} to {most} arguments, not {len(args)}")
    data = _SEPARATOR.join([_VERSION + verb, *(quote(str(arg), safe="@+,=") for arg in args)])
    if len(data) > MAX_BYTES:
        raise TooLong(f"{len(data)} bytes: {data}")
    return data


def unpack(data: str) -> tuple[str, tuple[str, ...]]:
    """The verb and its arguments. Raises BadCallback for whatever `pack` did not make."""
    head, *args = data.split(_SEPARATOR)
    verb = head.removeprefix(_VERSION)
    if not head.startswith(_VERSION) or verb not in VERBS:
        raise BadCallback("no verb of ours")
    try:
        found = tuple(unquote(arg, errors="strict") for arg in args)
        same = pack(verb, *found) == data
    except ValueError as error:  # UnicodeDecodeError is one
        raise BadCallback("not as we pack it") from error
    if not same:
        raise BadCallback("not as we pack it")
    return verb, found
