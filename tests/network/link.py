"""A network of two hosts whose link a test holds in its hands; needs Linux, root and iproute2.

Each host is a network namespace without a name, with a TUN device for its wire: so nothing is left
behind, whatever becomes of the test. The packets go from wire to wire through this process, which
delays, loses and reorders them as tc's netem does, a qdisc that not every kernel has.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import selectors
import struct
import subprocess
import threading
import time

from helpers import PATIENCE

NEAR, FAR = "10.77.0.1", "10.77.0.2"
NEAR6, FAR6 = "fd77::1", "fd77::2"

_CLONE_FS, _CLONE_NEWNS, _CLONE_NEWNET = 0x00000200, 0x00020000, 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_PACKET = 65536

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(status):
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _own_namespace():
    # That of the thread: a process may have several.
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def show_file(path, in_place_of):
    """Have the calling thread, and what it starts from now on, see a file in place of another.

    For a thread of its own: there is no way back, and with the last of them it is over.
    """
    _checked(_libc.unshare(_CLONE_FS | _CLONE_NEWNS))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", path, in_place_of], check=True)


class Host:
    """A network namespace; within ``with`` the calling thread, and what it starts, lives there."""

    def __init__(self, *addresses):
        self._homes = []
        home = _own_namespace()
        try:
            _checked(_libc.unshare(_CLONE_NEWNET))
            try:
                self._namespace = _own_namespace()
                self.wire = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(
                    self.wire, _TUNSETIFF, struct.pack("16sH22x", b"wire", _IFF_TUN | _IFF_NO_PI)
                )
                self.run("ip", "link", "set", "lo", "up")
                for address in addresses:
                    self.run("ip", "address", "add", address, "dev", "wire")
                self.run("ip", "link", "set", "wire", "up")
            finally:
                _checked(_libc.setns(home, _CLONE_NEWNET))
        finally:
            os.close(home)

    def run(self, *command):
        """Run a command where the calling thread is."""
        subprocess.run(command, check=True)

    def __enter__(self):
        self._homes.append(_own_namespace())
        _checked(_libc.setns(self._namespace, _CLONE_NEWNET))
        return self

    def __exit__(self, *exc_info):
        home = self._homes.pop()
        _checked(_libc.setns(home, _CLONE_NEWNET))
        os.close(home)

    def close(self):
        """Give everything back; the namespace ends with its last socket."""
        os.close(self.wire)
        os.close(self._namespace)


class Link:
    """Two hosts, and the link between them, whose faults are attributes that may change any time.

    ``delay`` and ``jitter``: seconds, each way, the second at random on top; ``loss``: the share of
    the packets that is lost; ``up``; ``lost(packet)``: says of each packet whether it is lost.
    ``losing`` is set whenever a packet is lost.
    """

    def __init__(self):
        self.delay = self.jitter = self.loss = 0.0
        self.up = True
        self.lost = lambda packet: False
        self.losing = threading.Event()
        self._random = random.Random(5)  # the same losses each time, as far as the kernel's are
        self._waiting = []  # (when it is due, number, where it goes, packet)
        self._stop, self._stopped = os.pipe()
        self.near = Host(f"{NEAR}/24", f"{NEAR6}/64")
        self.far = Host(f"{FAR}/24", f"{FAR6}/64")
        self._thread = threading.Thread(target=self._carry, name="link", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        os.close(self._stopped)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        os.close(self._stop)
        self.near.close()
        self.far.close()

    def _carry(self):
        ends = {self.near.wire: self.far.wire, self.far.wire: self.near.wire}
        with selectors.DefaultSelector() as selector:
            for wire in (*ends, self._stop):
                selector.register(wire, selectors.EVENT_READ)
            while True:
                due = self._waiting[0][0] - time.monotonic() if self._waiting else None
                for key, _ in selector.select(due if due is None else max(0.0, due)):
                    if key.fd == self._stop:
                        return
                    self._take(key.fd, ends[key.fd])
                self._deliver()

    def _take(self, wire, other):
        with contextlib.suppress(BlockingIOError):
            for number in range(1000):  # then whatever is due has its turn
                packet = os.read(wire, _PACKET)
                if not self.up or self._random.random() < self.loss or self.lost(packet):
                    self.losing.set()
                    continue
                now = time.monotonic()
                due = now + self.delay + self._random.random() * self.jitter
                heapq.heappush(self._waiting, (due, now, number, other, packet))

    def _deliver(self):
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            *_, wire, packet = heapq.heappop(self._waiting)
            with contextlib.suppress(OSError):  # its device is down, or its queue is full
                os.write(wire, packet)
