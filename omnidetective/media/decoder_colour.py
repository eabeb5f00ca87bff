"""Colours inside the decoder's process: whatever a picture is made of, as sRGB with eight bits, on white."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageChops, ImageCms

_SPACES = {"RGB": "RGB ", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab "}
"""Modes of Pillow, and the colour space that a profile for them names."""
_MOST_PROFILE_BYTES = 16 << 20
_SIXTEEN_BIT_TOP = 65535.0
_OWN_SCALES = (1.0, 255.0, _SIXTEEN_BIT_TOP)
"""White in pictures of floating-point numbers: the smallest of these that no pixel exceeds."""


def to_srgb(image: Image.Image) -> Image.Image:
    """A loaded picture as RGB: deep pixels made eight bits, transparency laid on white, colours as in sRGB.

    An embedded ICC profile is applied; one that is broken, or meant for other pixels, is ignored.
    """
    image = _eight_bit(image)
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        colours = _by_profile(with_alpha.convert("RGB"), image.info.get("icc_profile"))
        white = Image.new("RGB", image.size, "white")
        white.paste(colours, mask=with_alpha.getchannel("A"))
        return white
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        # Pillow takes every CMYK JPEG for one of Adobe's, which are inverted and say so by a marker.
        image = _with_info(ImageChops.invert(image), image)
    if image.mode in ("P", "1"):
        image = _with_info(image.convert("RGB"), image)
    return _by_profile(image, image.info.get("icc_profile"))


def _by_profile(image: Image.Image, profile: object) -> Image.Image:
    if image.mode == "LAB":
        return _transformed(image, ImageCms.createProfile("LAB")) or image.getchannel("L").convert("RGB")
    if isinstance(profile, bytes) and 0 < len(profile) <= _MOST_PROFILE_BYTES and image.mode in _SPACES:
        try:
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            told: Any = opened.profile
            fits = told.xcolor_space == _SPACES[image.mode] and not _is_srgb(told)
        except (ImageCms.PyCMSError, OSError, ValueError):
            fits = False
        if fits and (image_in_srgb := _transformed(image, opened)) is not None:
            return image_in_srgb
    return image if image.mode == "RGB" else image.convert("RGB")


def _transformed(image: Image.Image, profile: Any) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _is_srgb(profile: Any) -> bool:
    return str(profile.profile_description or "").startswith("sRGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        return _with_info(_from_floats(image), image)
    if image.mode.startswith("I"):
        # Sixteen-bit grey keeps its brightness; anything else has no scale of its own and is spread over the range.
        deep = image.convert("I") if image.mode != "I" else image
        low, high = (float(edge) for edge in deep.getextrema() if isinstance(edge, (int, float)))
        base, top = (0.0, _SIXTEEN_BIT_TOP) if low >= 0 and high <= _SIXTEEN_BIT_TOP else (low, max(high, low + 1))
        scale = 255.0 / (top - base)
        return _with_info(deep.point(lambda value: value * scale - base * scale).convert("L"), image)
    return image


def _from_floats(image: Image.Image) -> Image.Image:
    import numpy as np

    pixels = np.array(image, dtype=np.float32)
    known = pixels[np.isfinite(pixels)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    base, top = low, max(high, low + 1e-6)
    if low >= 0 and (own := next((scale for scale in _OWN_SCALES if high <= scale), None)) is not None:
        base, top = 0.0, own
    pixels -= base
    pixels *= 255.0 / (top - base)
    np.nan_to_num(pixels, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def _with_info(made: Image.Image, of: Image.Image) -> Image.Image:
    """With the profile of the picture that it was made of; a transparent value of other pixels means nothing now."""
    made.info = {"icc_profile": of.info["icc_profile"]} if "icc_profile" in of.info else {}
    return made
