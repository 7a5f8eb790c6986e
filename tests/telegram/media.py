"""From bytes to media, and from media to the fields of a message."""

from __future__ import annotations

from tests.telegram import pictures
from tests.telegram.errors import bad_request
from tests.telegram.files import Blob, Files, Media, suffix_of
from tests.telegram.parameters import Json, Upload

MEGABYTE = 1024 * 1024
PHOTO_BYTES = 10 * MEGABYTE


def photo(data: bytes) -> Media:
    """Raises ApiError (400) for what is too large or no picture."""
    if len(data) > PHOTO_BYTES:
        raise bad_request(
            f"file of size {len(data)} bytes is too big for a photo; the maximum size is {PHOTO_BYTES} bytes"
        )
    return Media("photo", [_jpeg(data, size) for size in pictures.photo_sizes(data)])


def document(upload: Upload) -> Media:
    """A file as it is; pictures get a thumbnail."""
    size = pictures.measure(upload.data)
    thumbnail = _jpeg(upload.data, pictures.fit(size, pictures.THUMBNAIL_SIDE)) if size else None
    return Media("document", [_blob(upload)], thumbnail, upload.name, upload.mime)


def moving(kind: str, upload: Upload, width: int, height: int, duration: int) -> Media:
    """An animation or a video, with the measures its sender gave; a GIF is measured."""
    known = pictures.measure(upload.data) or (width, height)
    blob = _blob(upload)
    blob.width, blob.height = (width or known[0], height or known[1])
    return Media(kind, [blob], None, upload.name, upload.mime, duration)


def audio(kind: str, upload: Upload, duration: int = 0) -> Media:
    """A sound with a player around it, or one that was spoken ("voice")."""
    return Media(kind, [_blob(upload)], None, upload.name, upload.mime, duration)


def sticker(data: bytes, emoji: str) -> Media:
    size = pictures.measure(data) or (512, 512)
    blob = Blob(data, ".webp", *size)
    return Media("sticker", [blob], _jpeg(data, pictures.fit(size, 128)), emoji=emoji)


def is_moving(data: bytes) -> bool:
    """GIF or MP4, by their first bytes."""
    return data[:4] == b"GIF8" or data[4:8] == b"ftyp"


def from_upload(kind: str, upload: Upload, details: Json) -> Media:
    """What a file becomes that a bot uploads as `kind`. Raises ApiError (400).

    A GIF sent as a document becomes an animation, unless `disable_content_type_detection`; an animation that
    does not move becomes a document.
    """
    if not upload.data:
        raise bad_request("file must be non-empty")
    if kind == "photo":
        return photo(upload.data)
    if kind == "animation" and not is_moving(upload.data):
        kind = "document"
    if (
        kind == "document"
        and upload.data[:4] == b"GIF8"
        and not details.get("disable_content_type_detection")
    ):
        kind = "animation"
    if kind == "document":
        return document(upload)
    if kind == "audio":
        return audio(kind, upload, int(details.get("duration") or 0))
    return moving(kind, upload, *(int(details.get(one) or 0) for one in ("width", "height", "duration")))


def fields(media: Media, files: Files) -> Json:
    """The message's fields, with new file ids."""
    if media.kind == "photo":
        return {"photo": [_size(media, one, files) for one in media.blobs]}
    body: Json = _file(media, media.main, files)
    if media.thumbnail:
        body["thumbnail"] = body["thumb"] = _size(media, media.thumbnail, files)
    if media.name is not None:
        body["file_name"] = media.name
    if media.mime is not None:
        body["mime_type"] = media.mime
    if media.kind == "document":
        return {"document": body}
    if media.kind in ("audio", "voice"):
        return {media.kind: {**body, "duration": media.duration}}
    seen = {**body, "width": media.main.width, "height": media.main.height}
    if media.kind == "sticker":
        return {
            "sticker": {
                **seen, "type": "regular", "is_animated": False, "is_video": False, "emoji": media.emoji
            }
        }  # fmt: skip
    seen["duration"] = media.duration
    return {"animation": seen, "document": body} if media.kind == "animation" else {media.kind: seen}


def main_id(message: Json) -> str | None:
    """The id of the file that a message shows, the largest of a photo's."""
    if "photo" in message:
        return str(message["photo"][-1]["file_id"])
    for kind in ("animation", "video", "audio", "voice", "document", "sticker"):
        if kind in message:
            return str(message[kind]["file_id"])
    return None


def _blob(upload: Upload) -> Blob:
    return Blob(upload.data, suffix_of(upload.name, upload.mime))


def _jpeg(data: bytes, size: pictures.Size) -> Blob:
    # A smaller size costs more than all the rest of a call: only when somebody looks at it.
    return Blob(lambda: pictures.jpeg(data, size), ".jpg", *size)


def _file(media: Media, blob: Blob, files: Files) -> Json:
    body: Json = {"file_id": files.new_id(media, blob), "file_unique_id": blob.unique_id}
    if blob.size is not None:
        body["file_size"] = blob.size
    return body


def _size(media: Media, blob: Blob, files: Files) -> Json:
    return {**_file(media, blob, files), "width": blob.width, "height": blob.height}
