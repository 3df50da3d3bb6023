"""The sample frames of the tests, which the fuzzing begins with."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent.parent / "tests" / "data"
LONGEST = 2000  # what is longer is one thing many times over

SAMPLES = [
    line
    for name in ("valid", "odd", "invalid")
    for line in (DATA / f"{name}.jsonl").read_bytes().splitlines()
    if len(line) <= LONGEST
]
