"""The media types of each family that the doors let in, and what files of all types are called."""

from __future__ import annotations

from doors import audio_types, image_types

IMAGE_TYPES = tuple(image_types.FORMATS.values())
#: Sounds, and films with sound in them.
AUDIO_TYPES = tuple(audio_types.EXTENSIONS)
#: A text is a text, whatever its file was called: of what sort it is its bytes do not say.
TEXT_TYPES = ("text/plain",)

#: Of every type that is let in.
EXTENSIONS = {**image_types.EXTENSIONS, **audio_types.EXTENSIONS, "text/plain": ".txt"}
