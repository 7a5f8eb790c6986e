"""What kind of sound file some bytes are: the containers we take, and the names of those we do not."""

from __future__ import annotations

from dataclasses import dataclass

from doors import image_types

#: Bytes at the start of a file, or behind its ID3 tag, that `sniff` wants to see.
SNIFF_SIZE = 4096
#: Of an ID3v2 tag, which says how long it is.
ID3_HEADER = 10


@dataclass(frozen=True)
class Container:
    """One kind of file with sound in it."""

    #: FFmpeg's name of its reader.
    demuxer: str
    #: The media type of a file with sound alone, and of one with pictures that move; "": there are none.
    sound: str
    film: str = ""
    #: Whether the file itself says how long it is; else that is guessed by whoever reads it.
    declares: bool = True


_MP4 = Container("mov", "audio/mp4", "video/mp4")
_QUICKTIME = Container("mov", "audio/mp4", "video/quicktime")
_MATROSKA = Container("matroska", "audio/x-matroska", "video/x-matroska")
_WEBM = Container("matroska", "audio/webm", "video/webm")
_MPEG = Container("mp3", "audio/mpeg")
_ADTS = Container("aac", "audio/aac", declares=False)
_WAV = Container("wav", "audio/wav")
_FLAC = Container("flac", "audio/flac")
_OGG = Container("ogg", "audio/ogg", "video/ogg")
_AIFF = Container("aiff", "audio/aiff")
_ASF = Container("asf", "audio/x-ms-wma", "video/x-ms-wmv")
_AC3 = Container("ac3", "audio/ac3", declares=False)
_EAC3 = Container("eac3", "audio/eac3", declares=False)

#: What a file of each type is called; these are all that are taken.
EXTENSIONS = {
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/aac": ".aac",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
    "audio/wav": ".wav",
    "audio/aiff": ".aiff",
    "audio/webm": ".weba",
    "audio/x-matroska": ".mka",
    "audio/x-ms-wma": ".wma",
    "audio/ac3": ".ac3",
    "audio/eac3": ".ec3",
    # Of a film its sound is meant.
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "video/ogg": ".ogv",
    "video/x-ms-wmv": ".wmv",
}
#: As a sentence wants them.
TAKEN = "an MP3, M4A, Ogg, Opus, FLAC, WAV, AIFF or WMA, or a film with sound (MP4, MOV, WebM, MKV)"

#: How a file of ISO boxes begins: with its brand, or, of old, with one of these.
_OLD_QUICKTIME = {b"moov", b"mdat", b"wide"}
_RIFF = {b"RIFF", b"RIFX", b"RF64", b"BW64"}

#: (offset, bytes, container); MPEG's frames have only twelve bits to know them by, see `_frame`.
_KNOWN = (
    (0, b"fLaC", _FLAC),
    (0, b"OggS", _OGG),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _ASF),
)

#: (offset, bytes, name), the first match wins.
_OTHERS = (
    (0, b"MThd", "a MIDI file (notes and no sound: render it first)"),
    (0, b"#!AMR", "an AMR recording"),
    (0, b"caff", "a Core Audio file"),
    (0, b".snd", "an AU sound file"),
    (0, b"riff\x2e\x91\xcf\x11", "a Wave64 sound file"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"DSD ", "a DSD sound file"),
    (0, b"FRM8", "a DSD sound file"),
    (8, b"AVI ", "an AVI film"),
    (0, b"FLV\x01", "a Flash film"),
    (0, b"\x00\x00\x01\xba", "an MPEG film"),
    (0, b"\x00\x00\x01\xb3", "an MPEG film"),
    (188, b"G", "an MPEG film"),
    (0, b"#EXTM3U", "a playlist"),
)


def sniff(head: bytes) -> Container | None:
    """The container of a file that begins with `head`, if it is one that the house takes."""
    for offset, magic, container in _KNOWN:
        if head.startswith(magic, offset):
            return container
    if head[:4] in _RIFF and head[8:12] == b"WAVE":
        return _WAV
    if head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC"):
        return _AIFF
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _WEBM if b"webm" in head[:128] else _MATROSKA
    if head[4:8] == b"ftyp" and image_types.sniff(head) is None:
        return _QUICKTIME if head[8:12] == b"qt  " else _MP4
    if head[4:8] in _OLD_QUICKTIME:
        return _QUICKTIME
    if head.startswith(b"\x0b\x77"):
        return _EAC3 if len(head) > 5 and head[5] >> 3 > 10 else _AC3
    return _frame(head)


def id3_size(head: bytes) -> int:
    """The bytes of the ID3v2 tag that the file begins with; 0: there is none."""
    if not head.startswith(b"ID3") or len(head) < ID3_HEADER or max(head[6:10]) > 127:
        return 0
    return ID3_HEADER + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9])


def says_its_length(container: Container, head: bytes) -> bool:
    """Whether a file that begins so, behind its tag, has its length written in it.

    An MP3 does where an encoder wrote a first frame for it; without one the length is a guess by the file's.
    """
    if container is _MPEG:
        return any(tag in head[:64] for tag in (b"Xing", b"Info", b"VBRI"))
    return container.declares


def name_of(head: bytes) -> str | None:
    """What a file that begins with `head` and is not one of ours seems to be: "a MIDI file"."""
    if head.startswith(b"G") and head[188:189] != b"G":
        return image_types.name_of(head)
    for offset, magic, name in _OTHERS:
        if head.startswith(magic, offset):
            return name
    return "a picture" if image_types.sniff(head) else image_types.name_of(head)


def _frame(head: bytes) -> Container | None:
    """By the first frame's header (ISO/IEC 11172-3, 2.4.2.3; 13818-7, 6.2)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return _ADTS
    version, layer, bits, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    # Layers II and III; nobody has the first, and the mark of UTF-16 looks like it.
    return _MPEG if version != 1 and layer in (1, 2) and bits != 15 and rate != 3 else None
