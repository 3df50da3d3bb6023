"""One connection, from its first step to its loss: open it, sign in, read, keep it alive."""

from __future__ import annotations

import math
import threading
import time
from typing import Callable, List, Optional

from .deadline import Deadline
from .decode import Entry
from .frames import Gap
from .gaps import GapBook
from .inbox import PAUSE, Lane, LaneFull
from .judge import Run
from .latch import owns
from .lookout import Lookout
from .loss import ABNORMAL, Lost
from .settings import Secret, Settings
from .sorting import Sorter
from .state import Event
from .streams import VideoStream
from .transport import Connection

__all__ = ["Session"]

OPEN_AFTER = 1.0  # seconds without a close: metrics and logs know no acknowledgement
SILENCE = 30.0  # seconds; a device that does not exist is silent for ever
READS = 16  # to the freshest picture; more than a socket holds of pictures that make sense


class Session:
    """Runs one connection of one stream on the reader's thread.

    While nothing is to be done but to read data, it gives the socket away and sleeps. Whoever looks
    after the socket then calls :meth:`step`.
    """

    def __init__(
        self,
        lane: Lane,
        settings: Settings,
        book: GapBook,
        connection: Connection,
        enter: Callable[[Event], None],
        warn: Callable[[str, str], None],
        on_silence: Callable[[], None],
        lookout: Lookout,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._lane = lane
        self._stream = lane.stream
        self._settings = settings
        self._book = book
        self._connection = connection
        self._enter = enter
        self._warn = warn
        self._on_silence = on_silence
        self._lookout = lookout
        self._clock = clock
        self._wall = wall
        self._is_video = isinstance(lane.stream, VideoStream)
        self._has_stale_timeout = lane.stream.stale_timeout is not None
        self._is_watched = True  # whether what is heard may change when something is due
        self._frames = False  # whether any came
        self._sorter = Sorter(lane, book)
        # Points in time on the monotonic clock; inf is never.
        self._began_at = self._heard_at = clock()
        self._auth_at = self._open_at = self._data_at = self._silent_at = math.inf
        self._ping_at = self._pinged_at = math.inf  # the next ping, and the last one
        self._due_at = -math.inf  # the next duty, or some time before it
        # While the socket is given away others may be in step(): whoever holds the lock reads, and
        # waits for nothing meanwhile. Re-entrant, for a signal handler on top of step(), which must
        # know.
        self._lock = threading.RLock()
        self._is_given = False
        self._rest: List[Entry] = []  # what was read then and has no room yet
        self._failure: Optional[BaseException] = None  # that of step(), for the reader to raise

    def run(self, url: str, key: Secret) -> None:
        """Connect, sign in and read; returns only by raising ``Lost`` or ``LaneFull``."""
        settings = self._settings
        self._connection.open(url, settings, Deadline(settings.connect_timeout, self._clock))
        self._connection.authenticate(key)
        self._auth_at = self._heard_at = self._clock()
        self._ping_at = self._auth_at + settings.ping_interval
        self._enter(Event.AUTHENTICATE)
        self._due_at = self._next_duty()
        while True:
            if self._may_give():
                self._give()
            messages = self._connection.receive(max(0.0, self._due_at - self._clock()))
            if messages is not None:
                self._heard(messages)
            # What is heard changes the time of a duty only while a pong is awaited or data is: else
            # duties are looked at when the first is due, and not at every read.
            if self._is_watched or self._connection.awaits_pong or self._clock() >= self._due_at:
                self._do_duties()
                self._due_at = self._next_duty()
                self._is_watched = self._connection.awaits_pong or self._has_stale_timeout

    # While the socket is given away.

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._connection.fileno()

    def step(self, away: float) -> bool:
        """Take what has come, without waiting; return whether some of it has no room yet.

        Called in the reader's place, by whoever looks after the socket. What is not plain data is
        left to the reader, and so is whatever goes wrong.
        """
        try:
            # Held for a few lines. To go away would be to come back at once, since the socket stays
            # readable, and who has the lock would hardly get the interpreter's.
            self._lock.acquire()
            return self._is_given and self._take(away)
        except (Lost, LaneFull) as error:
            self._give_up(error)
            return False
        except BaseException as error:
            # On the main thread a signal handler may have raised it, between any two lines.
            if threading.current_thread() is threading.main_thread():
                if self.holds_lock():
                    self._give_up(Lost(ABNORMAL, "interrupted"))
                raise
            self._give_up(error)
            return False
        finally:
            try:
                self._lock.release()
            except RuntimeError:
                pass  # another thread has it

    def rouse(self) -> None:
        """Make the reader take the socket back."""
        self._connection.rouse()

    def holds_lock(self) -> bool:
        """Return whether the calling thread is in the middle of something here."""
        return owns(self._lock)

    def _take(self, away: float) -> bool:
        # Callbacks that are slow must not make pictures stale; other frames wait for them.
        patient = away < (PAUSE if self._is_video else math.inf)
        connection = self._connection
        if not self._rest:
            messages = connection.receive_at_once(1 if patient else READS)
            if messages is None:
                return False
            at = self._wall()
            self._book.delivering(at)
            if messages:
                entries = self._sorter.plain(messages, at, patient)
                if entries is None:
                    connection.put_back(messages)
                    self._hand_back()
                    return False
                self._rest = entries
            self._note_the_time()
        if self._rest:
            self._rest = self._put_at_once(self._rest, patient)
        if connection.has_other_business() or (self._rest and not patient):
            self._hand_back()
            return False
        return bool(self._rest)

    def _put_at_once(self, entries: List[Entry], patient: bool) -> List[Entry]:
        """Put frames without waiting; return those that have no room yet."""
        if patient and self._lane.pass_on(entries):
            return []
        rest, dropped = self._lane.put_at_once(entries, patient)
        self._warn_of_drops(dropped)
        return rest

    def _may_give(self) -> bool:
        return (
            self._lookout.is_open
            and self._sorter.data_came
            and self._open_at != math.inf
            and not self._book.in_outage
            and self._connection.may_be_given()
        )

    def _give(self) -> None:
        """Give the socket away, and sleep until there is something for the reader to do."""
        with self._lock:
            self._connection.give()
            self._is_given = self._lookout.add(self)
        if self._is_given:
            self._connection.sleep(max(0.0, self._due_at - self._clock()))
        with self._lock:
            self._take_back()
        if self._failure is not None:
            raise self._failure
        if self._rest:
            rest, self._rest = self._rest, []
            self._put(rest)

    def _give_up(self, failure: BaseException) -> None:
        """Leave it to the reader to raise what ends the connection."""
        self._failure = failure
        self._hand_back()

    def _hand_back(self) -> None:
        self._take_back()
        self._connection.rouse()

    def _take_back(self) -> None:
        if self._is_given:
            self._is_given = False
            self._lookout.discard(self)
        self._connection.take_back()

    def achieved(self) -> Run:
        """Return what the connection achieved up to now."""
        now = self._clock()
        return Run(
            age=now - self._began_at,
            stood=max(0.0, now - self._open_at),
            since_auth=None if self._auth_at == math.inf else now - self._auth_at,
            frames=self._frames,
            data=self._sorter.data_came,
        )

    def _heard(self, messages: List[bytes]) -> None:
        at = self._wall()
        if messages and self._open_at == math.inf:
            self._opened(at)
        if self._open_at != math.inf:
            self._book.delivering(at)
        if messages:
            self._frames = True
            for part in self._sorter.sort(messages, at):
                if isinstance(part, Gap):
                    self._lane.put_gap(part)
                else:
                    self._put(part)
        # After put(), which may have waited for room: the peer is not to blame for that time.
        self._note_the_time()

    def _note_the_time(self) -> None:
        self._heard_at = self._clock()
        if self._sorter.new_data:
            self._sorter.new_data = False
            self._data_at = self._heard_at
            self._silent_at = math.inf

    def _put(self, entries: List[Entry]) -> None:
        self._warn_of_drops(self._lane.put(entries))

    def _warn_of_drops(self, dropped: int) -> None:
        if dropped and not self._is_video:
            self._warn("drop", f"{self._stream}: buffer full, {dropped} frames dropped")

    def _opened(self, at: float) -> None:
        self._open_at = self._clock()
        self._silent_at = self._open_at + SILENCE
        self._due_at = self._open_at
        self._lane.put_gap(self._book.opened(at))
        self._enter(Event.OPEN)

    def _next_duty(self) -> float:
        due = min(self._pong_due() or self._ping_at, self._stale_at(), self._silent_at)
        return due if self._open_at != math.inf else min(due, self._auth_at + OPEN_AFTER)

    def _do_duties(self) -> None:
        now = self._clock()
        if self._open_at == math.inf and now >= self._auth_at + OPEN_AFTER:
            self._opened(self._wall())
        self._keep_alive(now)
        if now >= self._stale_at():
            raise Lost(ABNORMAL, f"stale: no data for {self._stream.stale_timeout} s")
        if now >= self._silent_at:
            self._silent_at = math.inf
            self._on_silence()

    def _keep_alive(self, now: float) -> None:
        """Ping at intervals; a peer from which nothing comes for ping_timeout after it is gone."""
        pong_due = self._pong_due()
        if pong_due is not None:
            if now >= pong_due:
                raise Lost(ABNORMAL, f"no answer to a ping within {self._settings.ping_timeout} s")
        elif now >= self._ping_at:
            self._ping_at = now + self._settings.ping_interval
            self._connection.ping()
            self._pinged_at = now

    def _pong_due(self) -> Optional[float]:
        """Return until when something must come; None while no pong is awaited.

        Anything that comes will do: a pong may be stuck behind a long row of frames.
        """
        if not self._connection.awaits_pong:
            return None
        return max(self._pinged_at, self._heard_at) + self._settings.ping_timeout

    def _stale_at(self) -> float:
        if self._stream.stale_timeout is None:
            return math.inf
        since = self._data_at if self._sorter.data_came else self._open_at
        return since + self._stream.stale_timeout
