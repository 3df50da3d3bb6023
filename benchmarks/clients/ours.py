"""plexus-sync with default settings; under "1000" only the end differs, to end with the server."""

from __future__ import annotations

from typing import Any

from plexus_sync import MetricsStream, Reconnect, Subscription, VideoStream

from ..touch import Handler
from . import Connect

STYLE = "objects"


def run(connect: Connect, handle: Handler, **stream_options: Any) -> None:
    """Hand frames over until the server closes."""
    kind = VideoStream if connect.kind == "video" else MetricsStream
    subscription = Subscription(
        *(kind(source, **stream_options) for source in connect.sources),
        api_key="plx_benchmark",
        base_url=connect.base_url,
        ssl_context=connect.ssl_context,
        compression="deflate" if connect.deflate else None,
        reconnect=Reconnect(on_code={1000: "end"}),
    )
    if connect.kind == "video":
        subscription.on_video_frame(handle)
    else:
        subscription.on_telemetry(handle)
    subscription.run()
