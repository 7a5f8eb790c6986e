"""The image door: everything that claims to be an image passes `inspect_image` before anything else reads it.

Uploads and `data:` URIs pass it in the API, fetched URLs in the workers.

    ImageRefused (a FileRefused)
    ├── UnsupportedImageType    not an image, or of a type the house does not take
    ├── AnimatedImage           more than one frame or page
    ├── ImageTooLarge           too many pixels
    └── BrokenImage             truncated, corrupt, or built to exhaust its reader
"""

from __future__ import annotations

import os
import warnings
from contextlib import nullcontext
from typing import BinaryIO

from PIL import Image

from doors.base import FileInfo, FileRefused, NoRoom, Room, Source, opened
from doors.image_cost import decoding_bytes
from doors.image_facts import Header, HeaderError
from doors.image_files import DECODER_ERRORS, open_image, orientation, turns_itself
from doors.image_headers import read_header, tiff_directory
from doors.image_types import SNIFF_SIZE, TAKEN, name_of, sniff

# Pillow warns about the metadata of files, which are not ours to mend. Said once, at import: the list of
# filters belongs to the process, and changing it during a call would race with other threads.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_TAKEN = f"Send {TAKEN}."


class ImageRefused(FileRefused):
    """The file cannot be used as an image."""


class UnsupportedImageType(ImageRefused):
    """Not an image, or of a type that the house does not take."""

    code = "unsupported_image_type"


class AnimatedImage(ImageRefused):
    """An animation, or several pages."""

    code = "animated_image"


class ImageTooLarge(ImageRefused):
    """More pixels than allowed."""

    code = "image_too_large"


class BrokenImage(ImageRefused):
    """Truncated, corrupt, or contradicting its own header."""

    code = "broken_image"


def inspect_image(
    source: Source,
    *,
    max_pixels: int = 64_000_000,
    max_side: int = 20_000,
    room: Room = nullcontext,
) -> FileInfo:
    """Say what image the stream or file `source` holds, after decoding it once.

    A stream that can seek is read from its beginning and left there; any other is read to its end. `room` is
    entered with the bytes that decoding takes: by default there is room, as where one looks at one at a time.
    Raises ImageRefused, what `room` raises but for NoRoom, and OSError when the source cannot be read.
    """
    with opened(source) as file:
        head = file.read(SNIFF_SIZE)
        media_type = sniff(head)
        if media_type is None:
            raise UnsupportedImageType(_not_ours(head))
        try:
            header = read_header(media_type, file)
            if media_type == "image/tiff":
                _refuse_raw(file)
            if header.animated:
                raise AnimatedImage("This is an animation or has several pages. Send one still picture.")
            _check_size(header.width, header.height, max_pixels, max_side)
            with room(decoding_bytes(media_type, header, file.seek(0, os.SEEK_END))):
                return _decode(file, media_type, header, max_pixels, max_side)
        except HeaderError as error:
            raise BrokenImage(f"This image cannot be used: {error}. Save it again as PNG.") from error
        except NoRoom as error:
            raise ImageTooLarge(
                f"To decode this image {error}. Send a smaller one, or the same as PNG or JPEG."
            ) from error


def _decode(file: BinaryIO, media_type: str, header: Header, max_pixels: int, max_side: int) -> FileInfo:
    """Decode everything once: nothing less finds a picture that stops halfway.

    Only a JPEG that ends early but in good order passes: libjpeg fills the rest with grey and tells nobody.
    A JPEG is decoded at an eighth of its size, which reads all of its data and needs a 64th of the memory.
    """
    try:
        with open_image(file, media_type, header) as image:
            # Pillow may read the header differently than we did; its view is the one that costs memory.
            _check_size(image.width, image.height, max_pixels, max_side)
            width, height, mode = header.width, header.height, image.mode
            _check_agreement(media_type, image.size, (width, height))
            if media_type == "image/jpeg":
                image.draft(None, (1, 1))
            image.load()
            if turns_itself(media_type):
                width, height = image.size
            elif orientation(image, media_type) >= 5:  # 5 to 8 lie on their side
                width, height = height, width
    except (ImageRefused, HeaderError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        raise ImageTooLarge("This image is too large. Send a smaller one.") from error
    except DECODER_ERRORS as error:
        raise BrokenImage(
            "This image is damaged or incomplete. Open it in an image program, save it again and send that."
        ) from error
    return FileInfo(media_type, width, height, mode=mode)


def _check_agreement(media_type: str, found: tuple[int, int], said: tuple[int, int]) -> None:
    """Pillow sees the size that the header says. Sorted, for some of its readers turn a picture upright.

    A HEIC's reader also cuts off what fills the last blocks, so there it may see less.
    """
    (short, long), (least, most) = sorted(found), sorted(said)
    same = short <= least and long <= most if media_type == "image/heic" else (short, long) == (least, most)
    if not same:
        raise HeaderError("it contradicts itself about its size")


def _check_size(width: int, height: int, max_pixels: int, max_side: int) -> None:
    if width < 1 or height < 1:
        raise BrokenImage("This image says that it has no pixels. Save it again and send that.")
    if max(width, height) > max_side:
        raise ImageTooLarge(
            f"This image is {width} x {height} pixels; a side may have {max_side:,}. Send a smaller one."
        )
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"This image has {width * height / 1e6:.0f} megapixels; {max_pixels / 1e6:g} are allowed. "
            "Send a smaller one."
        )


def _refuse_raw(file: BinaryIO) -> None:
    """Most cameras' RAW files are TIFFs with a thumbnail first, which is not what their sender means."""
    tags = tiff_directory(file)[0]
    if 50706 in tags or tags.get(259) in (32767, 34713) or tags.get(262) == 32803:
        raise UnsupportedImageType(f"This is a camera's RAW file. Export it as JPEG or PNG. {_TAKEN}")


def _not_ours(head: bytes) -> str:
    name = name_of(head)
    if name == "empty":
        return f"This file is empty. {_TAKEN}"
    if name == "a web page":
        return f"This is a web page, not an image. Use the address of the picture itself. {_TAKEN}"
    if name is None:
        return f"This is not an image of a type that we know. {_TAKEN}"
    return f"This is {name}, which cannot be used as an image here. {_TAKEN}"
