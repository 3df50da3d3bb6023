"""The queue between those who make frames and the one who sends them."""

import threading

from plexus_sync.simulator.outbox import Outbox, Put


def in_thread(call):
    """Run a call on a thread; return the thread and the list that gets its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return thread, results


def test_order_is_kept():
    """Frames and orders come out as they went in."""
    outbox = Outbox()
    assert outbox.put("a", limit=9, wait=False) is Put.TAKEN
    outbox.order("b")
    assert [outbox.take(None), outbox.take(None), outbox.take(0)] == ["a", "b", None]
    assert not outbox.finished


def test_limit():
    """Above the limit a frame is not taken, an order is."""
    outbox = Outbox()
    outbox.put("a", limit=1, wait=False)
    assert outbox.put("b", limit=1, wait=False) is Put.FULL
    outbox.order("c")
    assert [outbox.take(0), outbox.take(0)] == ["a", "c"]


def test_put_waits_for_room():
    """A frame that waits goes in when another has been taken."""
    outbox = Outbox()
    outbox.put("a", limit=1, wait=False)
    thread, results = in_thread(lambda: outbox.put("b", limit=1, wait=True))
    assert outbox.take(None) == "a"
    assert outbox.take(5) == "b"
    thread.join()
    assert results == [Put.TAKEN]


def test_put_that_waits_is_woken_by_the_end():
    """Closing wakes who waits for room, and forgets what is there."""
    outbox = Outbox()
    outbox.put("a", limit=1, wait=False)
    thread, results = in_thread(lambda: outbox.put("b", limit=1, wait=True))
    outbox.close()
    thread.join()
    assert results == [Put.REFUSED]
    assert outbox.take(None) is None
    assert outbox.finished


def test_take_waits():
    """The sender sleeps until there is something to send."""
    outbox = Outbox()
    thread, results = in_thread(lambda: outbox.take(None))
    outbox.order("a")
    thread.join()
    assert results == ["a"]


def test_last_order():
    """After the last order nothing is taken, and what is there is still handed out."""
    outbox = Outbox()
    outbox.put("a", limit=9, wait=False)
    outbox.order("bye", last=True)
    outbox.order("too late")
    assert outbox.put("b", limit=9, wait=True) is Put.REFUSED
    assert [outbox.take(None), outbox.take(None), outbox.take(None)] == ["a", "bye", None]
    assert outbox.finished


def test_hold():
    """While it is held, frames are turned away and orders are not."""
    outbox = Outbox()
    outbox.hold("outage")
    assert outbox.put("a", limit=9, wait=True) is Put.REFUSED
    outbox.order("notice")
    outbox.resume("outage")
    assert outbox.put("b", limit=9, wait=False) is Put.TAKEN
    assert [outbox.take(0), outbox.take(0)] == ["notice", "b"]


def test_resume_of_an_earlier_holder():
    """A holder that another has taken over from lets nothing in."""
    outbox = Outbox()
    outbox.hold("first")
    outbox.hold("second")
    outbox.resume("first")
    assert outbox.put("a", limit=9, wait=False) is Put.REFUSED
