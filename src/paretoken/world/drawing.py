"""Drawing scenes and labelling what each patch shows."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from paretoken.io.arrays import Numbers
from paretoken.world.facts import (
    BOX,
    GRID,
    MOST_CLUTTER,
    MOST_DIGITS,
    OBJECTS,
    PATCH,
    SIZE,
    Ints,
    Scenes,
    World,
)
from paretoken.world.vocabulary import COLOURS

#: Bitmaps of the digits 0 to 9, 3 x 5 pixels each.
FONT = (
    "111101101101111", "010110010010111", "111001111100111", "111001011001111", "101101111001001",
    "111100111001111", "111100111101111", "111001010010010", "111101111101111", "111101111001111",
)  # fmt: skip

#: Brightness of icons that are not asked about.
DIM = 0.45

#: Values of the third label: 0 for empty, 1 to 6 for a digit's colour, then the two kinds of icons.
BRIGHT_ICON, DIM_ICON = 1 + len(COLOURS), 2 + len(COLOURS)

#: Fewest pixels that an object must have in a patch to be its label.
LEAST_PIXELS = 3


def render(world: World, scenes: Scenes, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Ints]:
    """Return images of scenes, and labels of their patches.

    Args:
        world: the world of the icons.
        scenes: n scenes.
        rng: generator of the pixel noise.

    Returns:
        Images (n, 48, 48, 3) and labels (n, 36, 3) of the object that covers most of each patch:
        icon (from 1; 0: none), digit (from 1; 0: none), and colour (see `BRIGHT_ICON`).
    """
    canvas = _Canvas(scenes)
    icons = world.patterns.repeat(2, axis=1).repeat(2, axis=2)
    palette = np.array(list(COLOURS.values()))
    rows = np.flatnonzero(~scenes.text)
    canvas.stamp(rows, 0, icons[scenes.icon[rows]], (scenes.icon[rows] + 1, 0, BRIGHT_ICON))
    for number in range(MOST_DIGITS):
        rows = np.flatnonzero(scenes.digits > number)
        digit, colour = scenes.values[rows, number], scenes.colours[rows, number]
        drawn = _glyphs()[digit][..., None] * palette[colour][:, None, None]
        canvas.stamp(rows, 1 + number, drawn, (0, digit + 1, colour + 1))
    for number in range(MOST_CLUTTER):
        rows = np.flatnonzero(scenes.clutter > number)
        icon = scenes.others[rows, number]
        place = 1 + MOST_DIGITS + number
        canvas.stamp(rows, place, DIM * icons[icon], (icon + 1, 0, DIM_ICON))
    noisy = canvas.pixels + rng.normal(0, world.settings.noise, canvas.pixels.shape)
    return (np.clip(noisy, 0, 1) * 255).round().astype(np.uint8), canvas.patch_labels()


class _Canvas:
    """The pixels of images, the object that each pixel belongs to, and the labels of the objects."""

    def __init__(self, scenes: Scenes) -> None:
        count = len(scenes)
        self.places = scenes.places
        self.pixels: Numbers = np.zeros((count, SIZE, SIZE, 3))
        self.owner = np.zeros((count, SIZE, SIZE), np.int8)
        self.labels: Ints = np.zeros((count, OBJECTS + 1, 3), np.int64)

    def stamp(
        self, rows: Ints, number: int, drawn: Numbers, label: tuple[Ints | int, Ints | int, Ints | int]
    ) -> None:
        """Draw object ``number`` (rows, BOX, BOX, 3) at its place in the images ``rows``."""
        offset = np.arange(BOX)
        top, left = (self.places[rows, number, axis][:, None] + offset for axis in (0, 1))
        at = (rows[:, None, None], top[:, :, None], left[:, None, :])
        self.pixels[at] = drawn
        icon = number == 0 or number > MOST_DIGITS
        # An icon owns its whole box, a digit only its lit pixels, so that labels describe what is
        # visible.
        visible = np.ones(drawn.shape[:3], bool) if icon else drawn.any(-1)
        self.owner[at] = np.where(visible, number + 1, self.owner[at])
        for column, value in enumerate(label):
            self.labels[rows, number + 1, column] = value

    def patch_labels(self) -> Ints:
        """Return the label of the object with the most pixels in each patch (n, patches, 3)."""
        count = len(self.owner)
        cut = self.owner.reshape(count, GRID, PATCH, GRID, PATCH).transpose(0, 1, 3, 2, 4)
        patches = cut.reshape(count, GRID * GRID, PATCH * PATCH)
        pixels = np.stack([(patches == k).sum(-1) for k in range(1, OBJECTS + 1)], axis=-1)
        best = np.where(pixels.max(-1) >= LEAST_PIXELS, pixels.argmax(-1) + 1, 0)
        return np.take_along_axis(self.labels, best[..., None], axis=1)


def _glyphs() -> Numbers:
    """Return the bitmaps of the digits (10, BOX, BOX)."""
    glyphs = np.zeros((10, BOX, BOX))
    for digit, bits in enumerate(FONT):
        glyphs[digit, :5, 1:4] = np.array([int(bit) for bit in bits]).reshape(5, 3)
    return glyphs


def png(image: NDArray[np.uint8]) -> bytes:
    """Return the bytes of a PNG file of an image (height, width, 3)."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return stream.getvalue()
