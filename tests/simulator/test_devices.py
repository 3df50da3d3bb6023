"""The simulated robot's values."""

import json

from plexus_sync.simulator.devices import JOINTS, Device


def values(device, count=50):
    """Return the values of some batches, without their times."""
    return [device.telemetry(0) for _ in range(count)]


def test_same_seed_same_values():
    """A seed makes metrics, logs and thermal images repeatable, each by itself."""
    a, b = Device("robot-01", 7), Device("robot-01", 7)
    events = [b.event(0) for _ in range(20)]  # no part of the metrics' sequence
    assert values(a) == values(b)
    assert [a.event(0) for _ in range(20)] == events
    assert a.thermal_image(0) == b.thermal_image(0)


def test_other_seed_or_source_other_values():
    """Another seed or another robot has other values."""
    first = values(Device("robot-01", 7))
    assert first != values(Device("robot-01", 8))
    other = values(Device("robot-02", 7))
    assert {p["source_id"] for f in other for p in f["points"]} == {"robot-02"}
    assert [p["value"] for f in first for p in f["points"]] != [
        p["value"] for f in other for p in f["points"]
    ]


def test_a_batch_has_every_metric_in_any_order():
    """Each frame has one point of each metric; the order of metrics changes."""
    batches = values(Device("robot-01", 0))
    orders = [[point["metric"] for point in batch["points"]] for batch in batches]
    assert len({frozenset(order) for order in orders}) == 1
    assert len({tuple(order) for order in orders}) > 1
    assert {"battery.percent", "gps.lat", "gps.lon", f"joint.{JOINTS}.position"} < set(orders[0])


def test_timestamp_is_the_one_given():
    """The device has no clock of its own."""
    device = Device("robot-01", 0)
    assert {p["timestamp"] for p in device.telemetry(1795328317119)["points"]} == {1795328317119}
    assert device.event(5)["timestamp"] == 5


def test_battery_is_changed_before_it_is_empty():
    """The battery goes down and is full again some time."""
    device = Device("robot-01", 0)
    levels = [
        point["value"]
        for frame in values(device, 5000)
        for point in frame["points"]
        if point["metric"] == "battery.percent"
    ]
    assert min(levels) > 9.9
    assert any(after > before + 50 for before, after in zip(levels, levels[1:]))


def test_events_are_of_each_kind():
    """Goals, lines and errors with nested tags all come up."""
    device = Device("robot-01", 0)
    events = [device.event(0) for _ in range(60)]
    assert {event["metric"] for event in events} == {"nav.goal_reached", "log", "device.error"}
    errors = [event for event in events if event["metric"] == "device.error"]
    assert isinstance(errors[0]["tags"]["error_source"], dict)
    json.dumps(events)


def test_thermal_image():
    """A thermal image has a temperature for each pixel, and something warm in it."""
    image = Device("robot-01", 0).thermal_image(3)
    assert len(image.temps) == image.width * image.height
    assert 20 < min(image.temps) < 22
    assert 35 < max(image.temps) < 37
