"""For the clients that block: a thread for each connection, none where there is only one."""

from __future__ import annotations

import threading
from typing import Callable

from . import Connect


def for_each(connect: Connect, receive: Callable[[str], None]) -> None:
    """Call ``receive(url)`` for every URL at once; return when all have returned."""
    if len(connect.urls) == 1:
        receive(connect.urls[0])
        return
    threads = [threading.Thread(target=receive, args=(url,), daemon=True) for url in connect.urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
