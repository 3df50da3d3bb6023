"""The sample frames of the tests, which the fuzzing begins with."""

from __future__ import annotations

from pathlib import Path
from typing import List

DATA = Path(__file__).parent.parent / "tests" / "data"
LONGEST = 2000  # what is longer is one thing many times over


def _samples(*names: str) -> List[bytes]:
    return [
        line
        for name in names
        for line in (DATA / f"{name}.jsonl").read_bytes().splitlines()
        if len(line) <= LONGEST
    ]


GOOD = _samples("valid", "odd")
SAMPLES = GOOD + _samples("invalid")
