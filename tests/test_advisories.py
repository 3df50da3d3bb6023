"""What is known against the packages that users install with us, and why it does not reach them.

``data/advisories.json`` is what somebody has read and judged, and when. ``make audit`` asks for
what is new, where the data can be reached; this test needs no network.
"""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path

import pytest
from helpers import DATA

KNOWN = json.loads((DATA / "advisories.json").read_text(encoding="utf-8"))["packages"]
FOR_USERS = ("cli", "images", "simulator", "socks")  # the other extras are for developers


def lower_bounds():
    """Return the lowest version of each package that users may get with us."""
    config = configparser.ConfigParser()
    config.read(str(Path(__file__).parent.parent / "setup.cfg"), encoding="utf-8")
    extras = config["options.extras_require"]
    lines = [config["options"]["install_requires"], *(extras[name] for name in FOR_USERS)]
    found = re.findall(r"^([\w-]+)>=([\d.]+)$", "\n".join(lines), re.MULTILINE)
    assert len(found) == len("\n".join(lines).split()), "a requirement without a lower bound"
    return {name.lower(): version for name, version in found}


def ordered(version):
    """Return a version that can be compared."""
    numbers = [int(number) for number in version.split(".")]
    return numbers + [0] * (4 - len(numbers))


def test_every_package_was_looked_up():
    """A new requirement must be looked up, and one that is gone is forgotten."""
    assert set(KNOWN) == set(lower_bounds())


@pytest.mark.parametrize("package", sorted(KNOWN))
def test_what_our_bounds_allow_is_judged(package):
    """An advisory is below our lower bound, or it is said why it does not reach our users."""
    for advisory in KNOWN[package]:
        excluded = ordered(advisory["fixed"]) <= ordered(lower_bounds()[package])
        assert excluded != bool(advisory["why"]), advisory["ids"]
