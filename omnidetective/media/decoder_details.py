"""What a file says of itself, read inside the decoder's process: facts of its streams, and tags that somebody wrote.

Of the tags only well-known ones are taken. Where a picture was taken (GPS) and numbers of devices are not among them.
"""

from __future__ import annotations

import os
from typing import Any

import av
import av.container
import av.error
from PIL import ExifTags, Image

from omnidetective.media.decoder_file import open_regular
from omnidetective.media.decoder_image import FORMATS
from omnidetective.media.decoder_pages import PAGED, count_pages, turn_to
from omnidetective.media.decoder_streams import open_container, packets, prepare_decoder, raise_if_memory, rewind, turn
from omnidetective.media.wire import Details, DetailsRequest

_TAGS = frozenset(
    {"album", "album_artist", "artist", "author", "comment", "composer", "copyright", "creation_time", "date",
     "description", "disc", "encoded_by", "encoder", "episode_id", "genre", "keywords", "make", "model", "network",
     "performer", "publisher", "season_number", "show", "software", "subject", "subtitle", "synopsis", "title",
     "track", "year"}
)  # fmt: skip
_APPLE = "com.apple.quicktime."
_EXIF = {
    "ImageDescription": "description", "Make": "make", "Model": "model", "Software": "software", "Artist": "artist",
    "Copyright": "copyright", "DateTime": "date", "DateTimeOriginal": "taken", "LensModel": "lens",
    "ExposureTime": "exposure_time_s", "FNumber": "f_number", "ISOSpeedRatings": "iso",
    "FocalLength": "focal_length_mm",
}  # fmt: skip
_PNG_TEXT = frozenset({"title", "author", "description", "copyright", "software", "comment", "creation time"})
_MOST_CHAPTERS = 20
_MOST_CHARS = 400
_PACKETS = 100
_DEGREES = {"ROTATE_90": 90, "ROTATE_180": 180, "ROTATE_270": 270}


def details(request: DetailsRequest) -> Details:
    """Facts and tags of a file that was probed before.

    Raises:
        FileError: it cannot be opened.
    """
    return _image(request.path) if request.still else _streams(request)


def _streams(request: DetailsRequest) -> Details:
    facts: dict[str, Any] = {}
    tags: dict[str, str] = {}
    with open_container(request.path) as container:
        facts["container"] = container.format.long_name or container.format.name
        if container.bit_rate:
            facts["bitrate_kbps"] = round(container.bit_rate / 1000)
        kinds = [stream.type for stream in container.streams]
        for kind in ("video", "audio", "subtitle"):
            if kinds.count(kind) > (0 if kind == "subtitle" else 1):
                facts[f"{kind}_tracks"] = kinds.count(kind)
        tags |= _known(dict(container.metadata))
        for stream in container.streams:
            if stream.index == request.video_index:
                assert isinstance(stream, av.VideoStream)
                facts |= _video(container, stream)
            elif stream.index == request.audio_index:
                assert isinstance(stream, av.AudioStream)
                facts |= _audio(stream)
            else:
                continue
            for name, value in _known(dict(stream.metadata)).items():
                tags.setdefault(name, value)
        chapters = container.chapters()
        if chapters:
            facts["chapters"] = len(chapters)
        for number, chapter in enumerate(chapters[:_MOST_CHAPTERS], start=1):
            start_s = float(chapter["start"] * (chapter["time_base"] or 0))
            tags[f"chapter_{number}"] = f"{start_s:.1f} s: {chapter['metadata'].get('title', '')}"[:_MOST_CHARS]
    return Details(facts, tags)


def _video(container: av.container.InputContainer, stream: av.VideoStream) -> dict[str, Any]:
    context = stream.codec_context
    facts: dict[str, Any] = {
        "video_codec": context.name,
        "coded_width": context.width,
        "coded_height": context.height,
        "pixel_format": context.pix_fmt or "",
    }
    if stream.bit_rate:
        facts["video_bitrate_kbps"] = round(stream.bit_rate / 1000)
    frame = _first_frame(container, stream)
    turned = None if frame is None else turn(frame)
    if turned is not None and turned.name in _DEGREES:
        facts["turned_deg"] = _DEGREES[turned.name]
    return facts


def _audio(stream: av.AudioStream) -> dict[str, Any]:
    context = stream.codec_context
    facts: dict[str, Any] = {
        "audio_codec": context.name,
        "audio_channels": context.channels,
        "channel_layout": context.layout.name,
        "sample_rate_hz": context.sample_rate,
    }
    if stream.bit_rate:
        facts["audio_bitrate_kbps"] = round(stream.bit_rate / 1000)
    if stream.language and stream.language != "und":
        facts["audio_language"] = stream.language
    return facts


def _first_frame(container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame | None:
    prepare_decoder(container, stream)
    rewind(container)
    for read, packet in enumerate(packets(container, [stream])):
        try:
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    return frame
        except av.error.FFmpegError as error:
            raise_if_memory(error)
        if read >= _PACKETS:
            break
    return None


def _known(metadata: dict[str, str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for key, value in metadata.items():
        name = key.lower().removeprefix(_APPLE).replace(" ", "_")
        if name in _TAGS and str(value).strip():
            tags.setdefault(name, str(value)[:_MOST_CHARS])
    return tags


def _image(path: str) -> Details:
    with (
        open_regular(path) as descriptor,
        os.fdopen(os.dup(descriptor), "rb") as file,
        Image.open(file, formats=FORMATS) as image,
    ):
        facts: dict[str, Any] = {
            "container": image.format or "",
            "coded_width": image.width,
            "coded_height": image.height,
            "colour_mode": image.mode,
        }
        pages, frames = count_pages(image), 1 if image.format in PAGED else getattr(image, "n_frames", 1)
        if pages > 1:
            facts["pages"] = pages
            turn_to(image, 1)
        if frames > 1:
            facts["frames"] = frames
        exif = image.getexif()
        named = {ExifTags.TAGS.get(key, ""): value for key, value in (*exif.items(), *exif.get_ifd(0x8769).items())}
        tags = {_EXIF[name]: str(value)[:_MOST_CHARS] for name, value in named.items() if name in _EXIF and value}
        for key, value in image.info.items():
            name = str(key).lower()
            if name in _PNG_TEXT and isinstance(value, (str, bytes)):
                text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                tags.setdefault(name.replace(" ", "_"), text[:_MOST_CHARS])
    return Details(facts, tags)
