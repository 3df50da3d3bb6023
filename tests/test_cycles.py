"""Nothing grows: threads, descriptors and memory, over many starts and many reconnects.

They are counted in a process of its own, where nothing else lives; the server is the test's.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading

import pytest
from helpers import PATIENCE, point, telemetry
from rawserver import TEXT, RawServer, frame, hold, read_frame, upgrade

HEAD = """
import gc, json, logging, os, socket, sys, threading, tracemalloc
from plexus_sync import Gap, MetricsStream, Reconnect, Subscription

logging.getLogger("plexus_sync").addHandler(logging.NullHandler())
STREAM = MetricsStream("robot-01")
POLICY = Reconnect(initial=0.0001, maximum=0.0001)

def figures():
    gc.collect()
    return {
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "memory": tracemalloc.get_traced_memory()[0],
    }

def tell(done):
    print(json.dumps({"done": done, **figures()}))

COUNT = int(sys.argv[1])
tracemalloc.start()
"""
CYCLES = """
for number in range(COUNT + 1):
    sub = Subscription(STREAM, reconnect=POLICY)
    if number % 2:
        sub.on_frame(lambda frame: sub.close())
        sub.run()
    else:
        with sub:
            sub.get()
    assert sub.close()
    del sub
    if number in (COUNT // 10, COUNT):
        tell(number)
"""
RECONNECTS = """
with Subscription(STREAM, reconnect=POLICY) as sub:
    gaps = 0
    for frame in sub:
        gaps += isinstance(frame, Gap)
        if isinstance(frame, Gap) and gaps in (COUNT // 10, COUNT):
            tell(gaps)
            if gaps == COUNT:
                break
            socket.create_connection(("127.0.0.1", int(sys.argv[2]))).close()  # go on
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
@pytest.mark.parametrize(
    ("program", "count"), [(CYCLES, 1000), (RECONNECTS, 2000)], ids=["start and close", "reconnect"]
)
def test_nothing_grows(program, count, launch, environment, tmp_path):
    """After all of them there is as much as after a tenth."""
    connections = itertools.count()
    go_on = threading.Event()

    def behave(sock):
        try:
            upgrade(sock)
        except ConnectionError:  # the sign that it has counted
            go_on.set()
            return
        read_frame(sock)
        sock.sendall(frame(TEXT, telemetry(point())))
        number = next(connections)
        if program is CYCLES or number == count:
            hold(sock)
        elif number == count // 10:
            assert go_on.wait(PATIENCE)

    class Address:
        api_key = "plx_test"

    path = tmp_path / "program.py"
    path.write_text(HEAD + program)
    with RawServer(behave) as server:
        Address.url = f"ws://127.0.0.1:{server.port}"
        running = launch(
            sys.executable, str(path), str(count), str(server.port), env=environment(Address)
        )
        assert running.wait() == 0, running.output
    early, late = (json.loads(line) for line in running.lines)
    assert (early["done"], late["done"]) == (count // 10, count)
    assert late["threads"] == early["threads"]
    assert late["descriptors"] == early["descriptors"]
    # Caches and sets of the standard library fill: 40 to 50 bytes each on 3.10, nothing on 3.13. A
    # stream, a thread, a lock or a buffer that is kept each time has hundreds.
    assert late["memory"] - early["memory"] < 100 * (late["done"] - early["done"])
