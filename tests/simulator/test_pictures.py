"""The pictures of simulated cameras."""

import base64
import io

import pytest
from PIL import Image

from plexus_sync.simulator import pictures
from plexus_sync.simulator.devices import Device, ThermalImage


def opened(text):
    """Decode a picture."""
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


@pytest.mark.parametrize("camera_id", ["front", "r\u00fcckw\u00e4rts \U0001f916", ""])
def test_normal(camera_id):
    """A picture is a JPEG of the size that is told, whatever the camera's name."""
    picture = opened(pictures.normal(camera_id, 0, 0.0))
    assert picture.format == "JPEG"
    assert picture.size == pictures.SIZE


def test_it_moves_and_the_clock_runs():
    """The dot and the clock change, each for itself; the same again is the same picture."""
    first = pictures.normal("front", 0, 0.0)
    assert pictures.normal("front", 5, 0.0) != first
    assert pictures.normal("front", 0, 3725.5) != first
    assert pictures.normal("rear", 0, 0.0) != first
    pictures.normal.cache_clear()
    assert pictures.normal("front", 0, 0.0) == first


def test_the_dot_stays_inside():
    """However long it runs, the dot turns round at the edges."""
    assert [pictures._to_and_fro(x, 3) for x in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]


def test_thermal():
    """A thermal picture is red where it is warm, and blue where it is cold."""
    picture = opened(pictures.thermal("thermal", Device("robot-01", 0).thermal_image(0), 0.0))
    assert picture.size == pictures.SIZE
    red, _, blue = picture.getpixel((pictures.SIZE[0] // 2, pictures.SIZE[1] // 2))
    assert red > blue
    red, _, blue = picture.getpixel((pictures.SIZE[0] - 10, 10))
    assert blue > red


def test_thermal_of_one_temperature():
    """A sensor that sees the same everywhere has a picture too."""
    assert opened(pictures.thermal("thermal", ThermalImage(2, 1, [20.0, 20.0]), 0.0))
