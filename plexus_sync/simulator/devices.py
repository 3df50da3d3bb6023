"""A simulated robot: what it measures and reports, repeatable from a seed. Pure.

Every stream has its own source of chance, so that its values depend on how many frames were
made of it, not on what else was watched.
"""

from __future__ import annotations

import math
import random
from typing import List, Tuple

import attrs

from . import protocol
from .protocol import Frame

JOINTS = 6
THERMAL_SIZE = (32, 24)  # the pixels of a common small sensor, the MLX90640
HOME = (52.5200, 13.4050)  # latitude and longitude in degrees: somewhere to drive round
AMBIENT, WARM = 21.0, 36.6  # degrees Celsius


@attrs.frozen
class ThermalImage:
    """What a thermal camera sees, in degrees Celsius, row by row."""

    width: int
    height: int
    temps: List[float]


class Device:
    """One robot. ``timestamp`` is ms since the epoch, and no part of the sequence."""

    def __init__(self, source_id: str, seed: int) -> None:
        self.source_id = source_id
        self._metrics = random.Random(f"{seed}/{source_id}/metrics")
        self._logs = random.Random(f"{seed}/{source_id}/logs")
        self._thermal = random.Random(f"{seed}/{source_id}/thermal")
        self._batches = 0
        self._goals = 0
        self._battery = 100.0

    def telemetry(self, timestamp: int) -> Frame:
        """Make the next batch: one point of each metric."""
        trace_id = _trace_id(self._metrics)
        points = [
            protocol.point(self.source_id, metric, value, timestamp, trace_id)
            for metric, value in self._measure()
        ]
        # Across metrics the service keeps no order.
        self._metrics.shuffle(points)
        return protocol.telemetry(points)

    def _measure(self) -> List[Tuple[str, object]]:
        chance, step = self._metrics, self._batches
        self._batches += 1
        drained = self._battery - chance.uniform(0.0, 0.05)
        self._battery = drained if drained > 10.0 else 100.0  # changed at the dock
        angle = step / 50
        joints: List[Tuple[str, object]] = [
            (f"joint.{n}.position", round(math.sin(step / 20 + n), 4)) for n in range(1, JOINTS + 1)
        ]
        return [
            ("battery.percent", round(self._battery, 2)),
            ("cpu.percent", round(chance.gauss(35.0, 8.0), 1)),
            ("temperature", round(AMBIENT + 4 * math.sin(step / 100) + chance.gauss(0, 0.1), 2)),
            ("gps.lat", round(HOME[0] + 0.001 * math.sin(angle) + chance.gauss(0, 1e-6), 7)),
            ("gps.lon", round(HOME[1] + 0.001 * math.cos(angle) + chance.gauss(0, 1e-6), 7)),
            ("imu.acceleration", [round(chance.gauss(g, 0.05), 3) for g in (0.0, 0.0, 9.81)]),
            ("nav.state", "DRIVING" if step % 100 < 80 else "IDLE"),
            ("estop.pressed", False),
            *joints,
        ]

    def event(self, timestamp: int) -> Frame:
        """Make the next log event: now and then an error, mostly goals and plain lines."""
        chance = self._logs
        trace_id = _trace_id(chance)
        kind = chance.choice(("nav.goal_reached", "nav.goal_reached", "log", "device.error"))
        if kind == "nav.goal_reached":
            self._goals += 1
            frame = protocol.event(self.source_id, kind, kind, timestamp, trace_id)
            return {**frame, "tags": {"goal": str(self._goals)}}
        if kind == "log":
            line = {"msg": "battery checked", "n": chance.randrange(100)}
            frame = protocol.event(self.source_id, kind, line, timestamp, trace_id)
            return {**frame, "tags": {"logger": "power"}}
        joint = chance.randint(1, JOINTS)
        frame = protocol.event(self.source_id, kind, "torque limit", timestamp, trace_id)
        return {**frame, "tags": {"error_source": {"joint": joint, "recovered": True}}}

    def thermal_image(self, tick: int) -> ThermalImage:
        """Make the next thermal image: something warm that moves from side to side."""
        width, height = THERMAL_SIZE
        x = (width - 1) * (0.5 + 0.5 * math.sin(tick / 10))
        y = (height - 1) / 2
        temps = []
        for row in range(height):
            for column in range(width):
                near = math.exp(-((column - x) ** 2 + (row - y) ** 2) / 30)
                noise = 0.1 * (self._thermal.random() - 0.5)
                temps.append(round(AMBIENT + (WARM - AMBIENT) * near + noise, 2))
        return ThermalImage(width, height, temps)


def _trace_id(chance: random.Random) -> str:
    return f"{chance.getrandbits(16):04x}"
