"""A window of a program, with its controls and their states."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_INK, _GREY, _BLUE, _RED = (30, 32, 36), (150, 154, 160), (24, 100, 210), (190, 30, 30)


@dataclass(frozen=True, slots=True)
class Control:
    """A control: its label, its kind, and what state it is in, in words."""

    label: str
    kind: str
    state: str


@dataclass(frozen=True, slots=True)
class DrawnScreen:
    """A window.

    Attributes:
        texts: all lettering in it.
        controls: those that can be told apart by their labels.
    """

    image: Image.Image
    texts: tuple[str, ...]
    controls: tuple[Control, ...]


def screen() -> DrawnScreen:
    """A settings window of 1280 by 800 pixels with a dialog, an error and a disabled button in it."""
    image = Image.new("RGB", (1280, 800), (236, 238, 241))
    draw = ImageDraw.Draw(image)
    small, plain = ImageFont.load_default(24), ImageFont.load_default(28)
    draw.rectangle((0, 0, 1280, 60), fill=(250, 250, 250))
    draw.text((24, 12), "Account settings", fill=_INK, font=plain)
    for n, (colour, shade) in enumerate(((_INK, "white"), (_INK, (214, 228, 250)), (_INK, "white"))):
        draw.rectangle((0, 60 + 70 * n, 260, 130 + 70 * n), fill=shade)
        draw.text((28, 78 + 70 * n), ("Profile", "Security", "Billing")[n], fill=colour, font=small)
    draw.rectangle((320, 120, 1220, 720), fill="white", outline=_GREY, width=2)
    draw.text((360, 150), "Change password", fill=_INK, font=ImageFont.load_default(36))
    draw.text((360, 230), "E-mail address", fill=_INK, font=small)
    draw.rectangle((360, 268, 960, 322), outline=_GREY, width=2)
    draw.text((376, 280), "anna@example.org", fill=_INK, font=small)
    draw.text((360, 350), "New password", fill=_INK, font=small)
    draw.rectangle((360, 388, 960, 442), outline=_RED, width=3)
    draw.text((360, 456), "At least 12 characters are needed", fill=_RED, font=small)
    draw.rectangle((360, 520, 392, 552), outline=_INK, width=3)
    draw.line((366, 536, 374, 546, 388, 524), fill=_BLUE, width=5)
    draw.text((410, 520), "Sign out on 3 other devices", fill=_INK, font=small)
    draw.rounded_rectangle((360, 620, 560, 680), radius=8, fill=_BLUE)
    draw.text((418, 634), "Cancel", fill="white", font=plain)
    draw.rounded_rectangle((590, 620, 790, 680), radius=8, fill=(225, 227, 230))
    draw.text((660, 634), "Save", fill=_GREY, font=plain)
    controls = (
        Control("Security", "tab", "selected"),
        Control("E-mail address", "text field", "anna@example.org is typed in"),
        Control("New password", "text field", "empty, marked as an error"),
        Control("Sign out on 3 other devices", "checkbox", "ticked"),
        Control("Cancel", "button", "enabled"),
        Control("Save", "button", "disabled"),
    )
    texts = (
        "Account settings", "Profile", "Security", "Billing", "Change password", "E-mail address", "anna@example.org",
        "New password", "At least 12 characters are needed", "Sign out on 3 other devices", "Cancel", "Save",
    )  # fmt: skip
    return DrawnScreen(image, texts, controls)
