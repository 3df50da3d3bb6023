"""What it was measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import ssl
import sys
import time
from typing import Dict

from plexus_sync import __version__

__all__ = ["describe"]

_PACKAGES = (
    "websocket-client",
    "attrs",
    "msgspec",
    "orjson",
    "websockets",
    "aiohttp",
    "picows",
    "aiofastnet",
    "uvloop",
)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            for line in cpuinfo:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe() -> Dict[str, str]:
    """Return machine, system and versions, in the order in which they are printed."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load before": load,
        "Python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "OpenSSL": ssl.OPENSSL_VERSION,
        "plexus-sync": __version__,
        **{package: _version(package) for package in _PACKAGES},
    }
