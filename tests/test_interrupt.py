"""Waking a thread that sits in a system call, and calls that may be abandoned."""

from __future__ import annotations

import threading

import pytest
from helpers import PATIENCE, InThread

from plexus_sync.deadline import Deadline
from plexus_sync.interrupt import Interrupt, in_time
from plexus_sync.loss import Lost


class TestInterrupt:
    """The latch that wakes."""

    def test_wakes_everybody(self):
        """Setting it calls every waker that is inside, and lets waiters go."""
        interrupt = Interrupt()
        calls = []
        waiter = InThread(interrupt.wait, PATIENCE)
        with interrupt.waking(lambda: calls.append(1)), interrupt.waking(lambda: calls.append(2)):
            interrupt.set()
            assert calls == [1, 2]
        assert waiter.result() is True

    def test_set_before(self):
        """Where it is set already, a waker is called on entering."""
        interrupt = Interrupt()
        interrupt.set()
        calls = []
        with interrupt.waking(lambda: calls.append(1)):
            assert calls == [1]

    def test_outside(self):
        """Whoever has left is not woken any more, and the same waker may come again."""
        interrupt = Interrupt()
        calls = []

        def wake():
            calls.append(1)

        with interrupt.waking(wake):
            pass
        with interrupt.waking(wake), interrupt.waking(wake):
            pass
        interrupt.set()
        assert calls == []

    def test_left_by_an_error(self):
        """Whoever leaves by an error is not woken either, and the error comes through."""
        interrupt = Interrupt()
        calls = []
        with pytest.raises(ZeroDivisionError), interrupt.waking(lambda: calls.append(1)):
            raise ZeroDivisionError
        interrupt.set()
        assert calls == []

    def test_waker_that_raises_on_entering(self):
        """A waker that breaks its promise and raises is not kept."""
        interrupt = Interrupt()
        interrupt.set()

        def wake():
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), interrupt.waking(wake):
            pytest.fail("never inside")
        interrupt.set()

    def test_set_from_a_waker(self):
        """A signal handler may set it while its own thread is setting it."""
        interrupt = Interrupt()
        calls = []

        def wake():
            calls.append(1)
            if len(calls) == 1:
                interrupt.set()

        with interrupt.waking(wake):
            interrupt.set()
        assert calls == [1, 1]

    def test_set_twice(self):
        """A second set wakes again, for whoever has come to sit since."""
        interrupt = Interrupt()
        calls = []
        with interrupt.waking(lambda: calls.append(1)):
            interrupt.set()
            interrupt.set()
        assert calls == [1, 1]
        assert interrupt.is_set()

    def test_many_threads(self):
        """Threads that come and go while it is set are each woken, or find it set."""
        interrupt = Interrupt()
        go = threading.Barrier(9)

        def sit():
            go.wait(PATIENCE)
            woken = threading.Event()
            with interrupt.waking(woken.set):
                return woken.wait(PATIENCE)

        threads = [InThread(sit) for _ in range(8)]
        go.wait(PATIENCE)
        interrupt.set()
        assert [thread.result() for thread in threads] == [True] * 8


class Call:
    """A call that goes on until it is let go, and the thread that it is on."""

    def __init__(self, result=None, error=None):
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.thread = None
        self._result = result
        self._error = error

    def __call__(self):
        """Wait to be let go."""
        self.thread = threading.current_thread()
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        if self._error is not None:
            raise self._error
        return self._result

    def over(self):
        """Let it go and wait until its thread has ended."""
        self.go_on.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


class TestInTime:
    """Calls that know no time limit."""

    def test_result(self):
        """What the call returns is returned; it ran on a daemon thread that says what it is."""
        threads = []

        def function():
            threads.append(threading.current_thread())
            return "result"

        discarded = []
        result = in_time(function, Deadline(PATIENCE), Interrupt(), "DNS", discarded.append)
        assert result == "result"
        (thread,) = threads
        assert thread.name == "plexus-sync DNS"
        assert thread.daemon
        assert not thread.is_alive()
        assert discarded == []

    @pytest.mark.parametrize("result", [None, [], 0, ""])
    def test_empty_result(self, result):
        """A result that is empty is one, too."""
        assert in_time(lambda: result, Deadline(PATIENCE), Interrupt(), "DNS") == result

    def test_no_limit(self):
        """Without a time limit it is waited for."""
        assert in_time(lambda: 1, Deadline(None), Interrupt(), "DNS") == 1

    def test_error(self):
        """What the call raises is raised."""
        error = OSError("no such host")

        def function():
            raise error

        with pytest.raises(OSError, match="no such host") as raised:
            in_time(function, Deadline(PATIENCE), Interrupt(), "DNS")
        assert raised.value is error

    def test_time_is_up(self):
        """When the time is up the call is left alone; what it returns later is thrown away."""
        call, discarded = Call("late"), []
        with pytest.raises(Lost, match="DNS took longer than connect_timeout") as told:
            in_time(call, Deadline(0.05), Interrupt(), "DNS", discarded.append)
        assert told.value.loss.code == 1006
        assert discarded == []
        call.over()
        assert discarded == ["late"]

    def test_time_is_up_by_default(self):
        """What needs no throwing away is just forgotten."""
        call = Call("late")
        with pytest.raises(Lost):
            in_time(call, Deadline(0.05), Interrupt(), "DNS")
        call.over()

    def test_late_error(self):
        """An error of a call that was left alone is nobody's."""
        call, discarded = Call(error=OSError("late")), []
        with pytest.raises(Lost):
            in_time(call, Deadline(0.05), Interrupt(), "DNS", discarded.append)
        call.over()
        assert discarded == []

    def test_interrupted(self):
        """When the interrupt is set, the call is left alone at once."""
        call, discarded, interrupt = Call("late"), [], Interrupt()
        waiting = InThread(in_time, call, Deadline(None), interrupt, "SOCKS", discarded.append)
        assert call.begun.wait(PATIENCE)
        interrupt.set()
        with pytest.raises(Lost):
            waiting.result()
        call.over()
        assert discarded == ["late"]

    def test_interrupted_before(self):
        """Where the interrupt is set already, the result is thrown away, whenever it comes."""
        interrupt, discarded = Interrupt(), []
        interrupt.set()
        call = Call("never wanted")
        with pytest.raises(Lost):
            in_time(call, Deadline(None), interrupt, "DNS", discarded.append)
        assert call.begun.wait(PATIENCE)
        call.over()
        assert discarded == ["never wanted"]

    def test_interrupted_at_the_same_time(self):
        """A result that comes together with the interrupt is thrown away exactly once."""
        interrupt, discarded = Interrupt(), []

        def function():
            threads.append(threading.current_thread())
            interrupt.set()
            return "too late"

        threads = []
        with pytest.raises(Lost):
            in_time(function, Deadline(None), interrupt, "DNS", discarded.append)
        threads[0].join(PATIENCE)
        assert discarded == ["too late"]

    def test_interrupted_after_the_result(self):
        """A result that is there when the interrupt is found to be set is thrown away once."""
        discarded, threads = [], []

        class Late(Interrupt):
            def is_set(self):
                for thread in threads:
                    thread.join(PATIENCE)
                return bool(threads)

        def function():
            threads.append(threading.current_thread())
            return "too late"

        with pytest.raises(Lost):
            in_time(function, Deadline(None), Late(), "DNS", discarded.append)
        assert discarded == ["too late"]
