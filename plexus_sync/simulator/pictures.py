"""The pictures of simulated cameras: a moving dot, the camera's name, a running clock.

The one module that needs Pillow; imported when the first picture is due.
"""

from __future__ import annotations

import base64
import functools
import io
import zlib
from typing import Tuple

from PIL import Image, ImageDraw, ImageFont

from .devices import ThermalImage

SIZE = (320, 240)  # pixels: two milliseconds to draw, where 640x480 takes four times as long
_DOT = 24
_TEXT_SCALE = 2  # Pillow's own font is small, and the only one that is always there


# Several sources have cameras of one name, at about the same tick: one drawing for all.
@functools.lru_cache(maxsize=256)
def normal(camera_id: str, tick: int, seconds: float) -> str:
    """Draw a picture, as base64 JPEG; ``seconds`` is what its clock shows."""
    picture = _background(camera_id).copy()
    across, down = SIZE[0] - _DOT, SIZE[1] - _DOT
    x, y = _to_and_fro(tick * 6, across), _to_and_fro(tick * 4, down)
    ImageDraw.Draw(picture).ellipse((x, y, x + _DOT, y + _DOT), fill="white")
    return _finish(picture, seconds)


def thermal(camera_id: str, image: ThermalImage, seconds: float) -> str:
    """Draw what a thermal camera sees, cold in blue and warm in red, as base64 JPEG."""
    low, high = min(image.temps), max(image.temps)
    scale = 255 / ((high - low) or 1.0)
    shades = bytes(int((temp - low) * scale) for temp in image.temps)
    small = Image.frombytes("L", (image.width, image.height), shades)
    small.putpalette(_palette())
    picture = small.convert("RGB").resize(SIZE)
    picture.paste(_text(camera_id), (8, 8))
    return _finish(picture, seconds)


def _finish(picture: Image.Image, seconds: float) -> str:
    tenths = int(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours:02d}:{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"
    picture.paste(_text(clock), (8, SIZE[1] - 32))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=75)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


@functools.lru_cache(maxsize=64)
def _background(camera_id: str) -> Image.Image:
    """Draw what stays: a colour of the camera's own, a shade from top to bottom, its name."""
    hue = zlib.crc32(camera_id.encode()) % 256
    top = Image.new("HSV", (1, 1), (hue, 160, 150)).convert("RGB").getpixel((0, 0))
    shade = Image.linear_gradient("L").resize(SIZE)
    picture = Image.composite(Image.new("RGB", SIZE), Image.new("RGB", SIZE, top), shade)
    picture.paste(_text(camera_id), (8, 8))
    return picture


@functools.lru_cache(maxsize=64)
def _text(text: str) -> Image.Image:
    """Draw a line of text, white on black."""
    shown = text.encode("ascii", "replace").decode("ascii")  # all that the font is sure to have
    font = ImageFont.load_default()
    box = ImageDraw.Draw(Image.new("L", (1, 1))).textbbox((0, 0), shown, font=font)
    size: Tuple[int, int] = (int(box[2]) + 2, int(box[3]) + 2)
    line = Image.new("L", size)
    ImageDraw.Draw(line).text((1, 0), shown, fill=255, font=font)
    return line.resize((size[0] * _TEXT_SCALE, size[1] * _TEXT_SCALE)).convert("RGB")


@functools.lru_cache(maxsize=1)
def _palette() -> bytes:
    """Make the 256 colours from cold to warm."""
    colours = ((shade, 64 - abs(shade - 128) // 2, 255 - shade) for shade in range(256))
    return bytes(part for colour in colours for part in colour)


def _to_and_fro(position: int, length: int) -> int:
    """Fold a way that goes on for ever into one that goes there and back."""
    return length - abs(position % (2 * length) - length)
