"""Which colours a picture is made of, by plain English names, and how bright it is.

Names are those of the nearest of a few dozen anchors in CIE Lab, where distances are as the eye sees them: greys by
their lightness alone, colours by hue, lightness and strength.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from omnidetective.evidence import Colour

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ANCHORS: dict[str, tuple[str, ...]] = {
    "black": ("#000000", "#101010", "#181818"),
    "dark grey": ("#333333", "#444444", "#505050"),
    "grey": ("#6e6e6e", "#808080", "#969696"),
    "light grey": ("#b4b4b4", "#c8c8c8", "#d8d8d8"),
    "white": ("#f0f0f0", "#ffffff"),
    "red": ("#ff0000", "#d01010", "#c03030", "#e03c31"),
    "dark red": ("#8b0000", "#600000", "#701c1c"),
    "orange": ("#ff8000", "#ffa500", "#e07820", "#ff6a13"),
    "brown": ("#8b4513", "#5a3a1e", "#6b4a2b", "#3d2614", "#8a6540"),
    "beige": ("#f5f5dc", "#e8d8b8", "#d2b48c", "#c8b08c"),
    "yellow": ("#ffff00", "#ffd700", "#f0e040", "#d8c000"),
    "olive": ("#808000", "#6b6b20", "#55501a"),
    "lime green": ("#80ff00", "#a0e020", "#00ff00"),
    "green": ("#008000", "#2e8b57", "#30a030", "#5a9a4a", "#6b8e4e"),
    "dark green": ("#004000", "#1e3d1e", "#2c4a20"),
    "light green": ("#90ee90", "#a8d8a0"),
    "turquoise": ("#40e0d0", "#00ced1", "#00ffff", "#20b2aa"),
    "teal": ("#008080", "#205c60"),
    "light blue": ("#87ceeb", "#add8e6", "#a0c0e8"),
    "blue": ("#0000ff", "#1e60d0", "#2050c0", "#4080d0", "#0078d7"),
    "dark blue": ("#000080", "#10204a", "#182858"),
    "purple": ("#800080", "#6a30a0", "#8a4ac0", "#4b0082"),
    "lilac": ("#c8a2c8", "#b8a0e0"),
    "magenta": ("#ff00ff", "#e000a0"),
    "pink": ("#ffc0cb", "#ff80a8", "#ff69b4", "#e8a0b0"),
}
_MOST = 5
_LEAST_SHARE = 0.08
"""Of the picture: what fills less does not make its look."""
_SIDE_PX = 96
_ALIKE_SHARE = 0.2
_ALIKE_BRIGHTNESS = 0.08


@dataclass(frozen=True, slots=True)
class PictureLook:
    """How a picture looks.

    Attributes:
        brightness: mean luma, 0…1.
        shares: of the picture, for each name that it has at all, largest first.
        rgb: the mean colour of what goes by a name, 0…255.
    """

    brightness: float
    shares: dict[str, float]
    rgb: dict[str, tuple[float, float, float]]

    def colours(self) -> tuple[Colour, ...]:
        """The dominant ones, largest first; the largest in any case."""
        kept = [name for name, share in self.shares.items() if share >= _LEAST_SHARE][:_MOST] or [*self.shares][:1]
        return tuple(
            Colour(name=name, hex="#{:02x}{:02x}{:02x}".format(*map(round, self.rgb[name])), share=self.shares[name])
            for name in kept
        )


def picture_look(jpeg: bytes) -> PictureLook:
    """The look of one picture.

    Raises:
        OSError: it is no picture.
    """
    import io

    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as image:
        small = image.convert("RGB")
        small.thumbnail((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX)
    pixels = np.asarray(small, np.float32).reshape(-1, 3)
    anchors, owners, names = _palette()
    lab = lab_of(pixels)
    nearest = owners[np.square(lab[:, None, :] - anchors[None]).sum(axis=2).argmin(axis=1)]
    counts = np.bincount(nearest, minlength=len(names))
    order = [int(n) for n in np.argsort(-counts, kind="stable") if counts[n]]
    luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return PictureLook(
        brightness=round(float(luma.mean()) / 255, 3),
        shares={names[n]: round(float(counts[n]) / len(pixels), 3) for n in order},
        rgb={names[n]: _mean(pixels[nearest == n]) for n in order},
    )


def mean_look(looks: list[PictureLook]) -> PictureLook:
    """What several pictures look like together; at least one."""
    names = {name for look in looks for name in look.shares}
    shares = {name: sum(look.shares.get(name, 0.0) for look in looks) / len(looks) for name in names}
    rgb: dict[str, tuple[float, float, float]] = {}
    for name in names:
        known = [(look.rgb[name], look.shares[name]) for look in looks if name in look.rgb]
        whole = sum(share for _, share in known) or 1.0
        red, green, blue = (sum(value[n] * share for value, share in known) / whole for n in range(3))
        rgb[name] = (red, green, blue)
    ordered = sorted(shares, key=lambda name: (-shares[name], name))
    brightness = round(sum(look.brightness for look in looks) / len(looks), 3)
    return PictureLook(brightness, {name: round(shares[name], 3) for name in ordered}, rgb)


def alike(a: PictureLook, b: PictureLook) -> bool:
    """Whether nobody would describe the two differently."""
    names = {*a.shares, *b.shares}
    other = sum(abs(a.shares.get(name, 0.0) - b.shares.get(name, 0.0)) for name in names) / 2
    return other <= _ALIKE_SHARE and abs(a.brightness - b.brightness) <= _ALIKE_BRIGHTNESS


def colour_name(rgb: tuple[float, float, float]) -> str:
    """The plain name of a colour, given as red, green and blue, 0…255."""
    import numpy as np

    anchors, owners, names = _palette()
    lab = lab_of(np.array([rgb], np.float32))
    return names[int(owners[np.square(lab - anchors).sum(axis=1).argmin()])]


def lab_of(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """CIE Lab under D65 of sRGB colours, 0…255, shape ``(colours, 3)``. Formulas of IEC 61966-2-1 and CIE 15."""
    import numpy as np

    share = rgb / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = linear @ matrix.T / np.array([0.95047, 1.0, 1.08883])
    cube = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = cube.T
    lab: NDArray[np.float32] = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1).astype(np.float32)
    return lab


@cache
def _palette() -> tuple[NDArray[np.float32], NDArray[np.intp], tuple[str, ...]]:
    """The anchors in Lab, which name each belongs to, and the names."""
    import numpy as np

    names = tuple(_ANCHORS)
    colours = [(n, value) for n, name in enumerate(names) for value in _ANCHORS[name]]
    rgb = np.array([[int(value[k : k + 2], 16) for k in (1, 3, 5)] for _, value in colours], np.float32)
    return lab_of(rgb), np.array([n for n, _ in colours], np.intp), names


def _mean(pixels: NDArray[np.float32]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in pixels.mean(axis=0))
    return red, green, blue
