"""The simulator, which needs an extra."""

from __future__ import annotations

from typing import Any

from .exits import Exit, Problem

__all__ = ["new_simulator"]


def new_simulator(**options: Any) -> Any:
    """Return a Simulator that is not started; in one sentence what is missing or wrong."""
    try:
        from ..simulator import Simulator

        return Simulator(**options)
    except ImportError as error:
        raise Problem(str(error)) from None
    except ValueError as error:
        raise Problem(str(error), Exit.USAGE) from None
