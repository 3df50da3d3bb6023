"""One harness in a process of its own: ``python -m fuzz.harness NAME [libFuzzer's] CORPUS``."""

from __future__ import annotations

import importlib
import sys

import atheris

if __name__ == "__main__":
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["plexus_sync"]):
        module = importlib.import_module(f"fuzz.{name}")
    more = {}
    if hasattr(module, "mutate"):
        more["custom_mutator"] = lambda data, size, seed: module.mutate(
            data, size, seed, atheris.Mutate
        )
    atheris.Setup(sys.argv, module.one_input, **more)
    atheris.Fuzz()
