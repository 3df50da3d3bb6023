"""``status()`` as rows of a table."""

from __future__ import annotations

from typing import Any, Dict, List

from ..subscription import Subscription

__all__ = ["summary"]


def summary(subscription: Subscription) -> List[Dict[str, Any]]:
    """Return one row for each stream."""
    return [
        {
            "source_id": stream.source_id,
            "stream": stream.kind,
            "state": status.state.value,
            "received": status.received,
            "delivered": status.delivered,
            "points": status.points,
            "dropped": status.dropped,
            "filtered": status.filtered,
            "bad": status.bad,
            "discarded": status.discarded,
            "buffered": status.buffered,
            "bytes": status.bytes,
            "gaps": status.gaps,
            "reconnects": status.reconnects,
        }
        for stream, status in subscription.status().items()
    ]
