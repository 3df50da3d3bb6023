"""The thread that has a simulated device send, at its rates, as long as somebody watches."""

from __future__ import annotations

import threading
import time
from typing import Dict, Tuple

from . import protocol
from .devices import Device
from .protocol import LOGS, METRICS, VIDEO, Frame
from .registry import Registry

# A device has much to measure and little to say.
FRAMES_PER_EVENT = 5
# After a hold-up longer than this, frames are left out, not made up for.
CATCH_UP = 1.0


class Feed:
    """Sends one device's frames: ``rate`` and ``video_rate`` in frames a second, 0 for none.

    A stream that nobody watches stands still, so its first viewer sees it from the start.
    """

    def __init__(
        self,
        device: Device,
        registry: Registry,
        rate: float,
        video_rate: float,
        cameras: Tuple[str, ...],
    ) -> None:
        self._device = device
        self._registry = registry
        self._video_rate = video_rate
        self._cameras = cameras
        self._periods: Dict[str, float] = {}  # seconds from frame to frame
        if rate:
            self._periods = {METRICS: 1 / rate, LOGS: FRAMES_PER_EVENT / rate}
        if video_rate and cameras:
            self._periods[VIDEO] = 1 / video_rate
        self._pictures = 0
        self._stopping = False
        # Set when there is something new to look at: a viewer, or the end.
        self._wake = threading.Event()
        self._thread = threading.Thread(
            target=self._run,
            name=f"plexus-sync simulator device {device.source_id}",
            daemon=True,  # must not keep the interpreter alive
        )

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Have it look whether anyone watches."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stopping = True
        self._wake.set()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        due: Dict[str, float] = {}
        while True:
            self._wake.clear()  # before looking, so that what comes after wakes it
            if self._stopping:
                return
            now = time.monotonic()
            watched = [stream for stream in self._periods if self._watched(stream)]
            due = {stream: due.get(stream, now) for stream in watched}
            late = [stream for stream in watched if due[stream] <= now]
            for stream in late:
                self._emit(stream)
                due[stream] = max(due[stream] + self._periods[stream], now - CATCH_UP)
            if not late:
                self._wake.wait(min(due.values()) - now if due else None)

    def _watched(self, stream: str) -> bool:
        return self._registry.watched(self._device.source_id, stream)

    def _emit(self, stream: str) -> None:
        device, timestamp = self._device, int(time.time() * 1000)
        if stream == METRICS:
            self._deliver(METRICS, device.telemetry(timestamp))
        elif stream == LOGS:
            self._deliver(LOGS, device.event(timestamp))
        else:
            for camera_id in self._cameras:
                self._deliver(VIDEO, self._picture(camera_id, timestamp))
            self._pictures += 1

    def _deliver(self, stream: str, frame: Frame) -> None:
        self._registry.deliver(self._device.source_id, stream, frame, wait=False)

    def _picture(self, camera_id: str, timestamp: int) -> Frame:
        from . import pictures  # Pillow is needed for pictures alone, and slow to import

        source_id, tick = self._device.source_id, self._pictures
        seconds = tick / self._video_rate
        if protocol.video_type(camera_id) == "normal":
            jpeg = pictures.normal(camera_id, tick, seconds)
            return protocol.video_frame(source_id, camera_id, jpeg, pictures.SIZE, timestamp)
        image = self._device.thermal_image(tick)
        jpeg = pictures.thermal(camera_id, image, seconds)
        frame = protocol.video_frame(source_id, camera_id, jpeg, pictures.SIZE, timestamp)
        return {
            **frame,
            "video_type": "thermal",
            "sensor_width": image.width,
            "sensor_height": image.height,
            "temp_min": min(image.temps),
            "temp_max": max(image.temps),
            "temps": image.temps,
        }
