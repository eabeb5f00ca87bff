"""What every observer must keep to, and what this one must find."""

from __future__ import annotations

import numpy as np
from omnidetective.media.frames import GrayFrame
from omnidetective.testing import assert_conforms
from PIL import Image, ImageFilter

from omnidetective_focus_meter import FocusMeter, blur_of, describe


def picture(*, radius_px: float) -> GrayFrame:
    """Random blocks, blurred by so much."""
    blocks = np.random.default_rng(7).integers(0, 256, (36, 64), dtype=np.uint8)
    image = Image.fromarray(blocks).resize((320, 180), Image.Resampling.NEAREST)
    luma = image.filter(ImageFilter.GaussianBlur(radius_px)).tobytes()
    return GrayFrame(time_s=0.0, luma=luma, width=320, height=180)


def test_it_conforms() -> None:
    assert_conforms(FocusMeter)


def test_the_more_blurred_the_higher() -> None:
    blurs = [blur_of(picture(radius_px=radius_px)) or 0.0 for radius_px in (0, 1, 2, 4, 8)]
    assert blurs == sorted(blurs)
    assert blurs[0] < 0.3
    assert blurs[-1] > 0.7


def test_a_plain_picture_is_neither_sharp_nor_blurred() -> None:
    assert blur_of(GrayFrame(time_s=None, luma=bytes(320 * 180), width=320, height=180)) is None


def test_stretches_that_are_alike_are_told_once() -> None:
    told = describe([0.0, 0.5, 1.0, 1.5], [0.2, 0.3, 0.8, None], blurred_from=0.55)
    assert told.splitlines() == [
        "The picture is sharp (blur up to 0.30) from 0.0 to 0.5 s.",
        "The picture is blurred (blur up to 0.80) at 1.0 s.",
        "The picture is without detail at 1.5 s.",
    ]
