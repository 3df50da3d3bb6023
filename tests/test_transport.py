"""One open connection: what is read, what is answered, how it ends."""

from __future__ import annotations

import errno
import json
import select
import socket
import struct
import threading
import traceback
import zlib

import pytest
import websocket
from helpers import PATIENCE, InThread, variables_of
from rawserver import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    RawServer,
    close_frame,
    frame,
    hold,
    read_frame,
    read_head,
    reset,
    server_context,
    upgrade,
)

from plexus_sync.deadline import Deadline
from plexus_sync.interrupt import Interrupt
from plexus_sync.line import Line
from plexus_sync.loss import Lost
from plexus_sync.settings import KeySource, Secret, Settings
from plexus_sync.transport import Connection

KEY = "plx_0123456789abcdefghijklmnopqrstuv"
SHORT = 0.2  # seconds, where the time limit is what is tested


def loss_of(function):
    """Call the function again and again until it raises Lost; return how it was lost."""
    try:
        while True:
            function()
    except Lost as lost:
        return lost.loss


class Client:
    """A connection to a server that does, once it is open, what the test says.

    ``then`` comes with the answer to the upgrade.
    """

    def __init__(self, script, then=b"", context=None, headers=(), **settings):
        def behave(sock):
            upgrade(sock, *headers, then=then)
            assert opened.wait(PATIENCE)
            script(sock)

        self.opened = opened = threading.Event()
        self.line = Line()
        self.stop = Interrupt()
        self.server = RawServer(behave, context)
        scheme, host = ("wss", "localhost") if context else ("ws", "127.0.0.1")
        url = f"{scheme}://{host}:{self.server.port}"
        self.settings = Settings(keys=KeySource(KEY), base_url=url, **settings)
        self.connection = Connection(self.line, self.settings, self.stop)

    def __enter__(self):
        self.server.__enter__()
        self.connection.open(
            f"{self.settings.base_url}/v1", self.settings, Deadline(self.settings.connect_timeout)
        )
        self.opened.set()
        return self

    def __exit__(self, *exc_info):
        self.line.close()
        self.server.__exit__(*exc_info)

    def receive(self, count):
        """Return so many messages, however many reads they take."""
        messages = []
        while len(messages) < count:
            messages += self.connection.receive(PATIENCE) or []
        return messages

    def lost(self):
        """Receive until the connection is lost; return how."""
        return loss_of(lambda: self.connection.receive(PATIENCE))

    def fill(self):
        """Write until nothing more goes into the socket, since nobody reads."""
        self.line.sock.setblocking(False)
        try:
            while True:
                self.line.sock.send(b"x" * 65536)
        except BlockingIOError:
            self.line.sock.setblocking(True)


def says(*data):
    """Return a script: send these bytes and hold the line."""

    def script(sock):
        for some in data:
            sock.sendall(some)
        hold(sock)

    return script


def says_later(release, *data):
    """Return a script: the same, when the test lets it."""

    def script(sock):
        assert release.wait(PATIENCE)
        says(*data)(sock)

    return script


def deaf(release):
    """Return a script that reads nothing until the event is set."""
    return lambda sock: release.wait(PATIENCE)


@pytest.fixture
def release():
    """Return an event that is set at the end of the test."""
    event = threading.Event()
    yield event
    event.set()


class TestAuthenticate:
    """The auth frame."""

    def test_frame(self):
        """It is one masked text frame, a JSON object with the key."""
        seen = []
        with Client(lambda sock: seen.append(read_frame(sock))) as client:
            client.connection.authenticate(Secret(KEY))
            assert client.lost().code == 1006
        ((opcode, payload),) = seen
        assert opcode == TEXT
        assert json.loads(payload) == {"type": "auth", "api_key": KEY}

    def test_no_trace(self, caplog):
        """The trace of websocket-client never shows the key."""
        websocket.enableTrace(True, handler=caplog.handler)
        try:
            with Client(hold) as client:
                client.connection.authenticate(Secret(KEY))
        finally:
            websocket.enableTrace(False)
        assert KEY not in caplog.text

    def test_traceback_shows_no_key(self):
        """No local variable in the traceback of a failed write holds the key."""
        with Client(hold) as client:
            client.line.close()
            with pytest.raises(Lost) as told:
                client.connection.authenticate(Secret(KEY))
        error = traceback.TracebackException.from_exception(told.value, capture_locals=True)
        ours = [frame for frame in error.stack if "plexus_sync" in frame.filename]
        assert ours
        assert KEY not in str([frame.locals for frame in ours])
        assert KEY not in str(told.value.loss)

    def test_no_report_shows_what_was_being_sent(self):
        """Nor do the frames of sockets and TLS below ours, where the frame is a variable."""

        class Failing:
            """Fails as an SSLSocket does, whose sendall() is a function of Python too."""

            def settimeout(self, seconds):
                """Take it."""

            def sendall(self, data):
                """Fail with the data in a variable."""
                sent.append(data)
                raise OSError("reset")

        sent = []
        with Client(hold) as client:
            working, client.line.sock = client.line.sock, Failing()
            with pytest.raises(Lost) as told:
                client.connection.authenticate(Secret(KEY))
            client.line.sock = working
        assert "reset" in told.value.loss.reason
        frames = traceback.walk_tb(told.value.loss.cause.__traceback__)
        assert not any(repr(sent[0]) in variables_of(frame) for frame, _ in frames)

    def test_very_long_ping_timeout(self):
        """A time limit of years for a write is taken for what it is: none."""
        seen = []
        with Client(lambda sock: seen.append(read_frame(sock)), ping_timeout=1e12) as client:
            client.connection.authenticate(Secret(KEY))
            client.lost()
        assert seen


class TestReceive:
    """Messages."""

    def test_one(self):
        """A message is returned as its bytes."""
        with Client(says(frame(TEXT, b"hello"))) as client:
            assert client.connection.receive(PATIENCE) == [b"hello"]

    def test_many(self):
        """Messages come in order, as many as one read brings."""
        texts = [b"%d" % number for number in range(2000)]
        with Client(says(b"".join(frame(TEXT, text) for text in texts))) as client:
            assert client.receive(2000) == texts

    def test_large(self):
        """A message that is larger than any read comes whole."""
        large = b"x" * 3_000_000
        with Client(says(frame(TEXT, large), frame(TEXT, b"next"))) as client:
            assert client.receive(2) == [large, b"next"]

    def test_part(self, release):
        """An empty list says that something came, but no whole message yet."""

        def script(sock):
            sock.sendall(frame(TEXT, b"hello")[:3])
            assert release.wait(PATIENCE)
            sock.sendall(frame(TEXT, b"hello")[3:])
            hold(sock)

        with Client(script) as client:
            assert client.connection.receive(PATIENCE) == []
            release.set()
            assert client.connection.receive(PATIENCE) == [b"hello"]

    @pytest.mark.parametrize("timeout", [0, 0.001, 0.05])
    def test_nothing(self, timeout):
        """None says that nothing came in time; a time of 0 is no error."""
        with Client(hold) as client:
            assert client.connection.receive(timeout) is None
            assert client.connection.receive(timeout) is None

    def test_longer_wait_after_a_shorter_one(self, release):
        """A short wait that has brought nothing does not make the next one short."""
        with Client(says_later(release, frame(TEXT, b"late"))) as client:
            assert client.connection.receive(0.01) is None
            release.set()
            assert client.receive(1) == [b"late"]
            assert client.line.sock.gettimeout() == PATIENCE

    def test_very_long_wait(self):
        """A wait of years is taken for what it is: as long as it takes."""
        with Client(says(frame(TEXT, b"hello"))) as client:
            assert client.connection.receive(1e12) == [b"hello"]

    def test_buffer_shrinks(self):
        """When the stream has gone quiet, the room of a busy time is given back."""
        with Client(says(frame(TEXT, b"x" * 500_000))) as client:
            client.receive(1)
            assert len(client.connection._frames.room()) > 100_000
            assert client.connection.receive(0.01) is None
            assert len(client.connection._frames.room()) < 10_000

    def test_with_the_upgrade(self):
        """Messages that came with the upgrade come first, without waiting for more."""
        then = frame(TEXT, b"one") + frame(TEXT, b"two") + frame(TEXT, b"three")[:2]
        with Client(says(frame(TEXT, b"three")[2:]), then) as client:
            assert client.receive(3) == [b"one", b"two", b"three"]

    def test_end_with_the_upgrade(self):
        """A message and a close frame that came with the upgrade are told one after the other."""
        then = frame(TEXT, b"last") + close_frame(4401, b"unauthorized")
        with Client(hold, then) as client:
            assert client.connection.receive(PATIENCE) == [b"last"]
            loss = client.lost()
        assert (loss.code, loss.reason) == (4401, "unauthorized")

    def test_over_tls(self, authority, trusting):
        """TLS below changes nothing."""
        context = server_context(authority.issue_cert("localhost"))
        texts = [b"x" * 20_000, b"hello", b"y" * 70_000]
        data = b"".join(frame(TEXT, text) for text in texts)
        with Client(says(data), context=context, ssl_context=trusting) as client:
            client.connection.authenticate(Secret(KEY))
            assert client.receive(3) == texts
            assert client.connection.receive(0.01) is None

    def test_deflated(self):
        """Where compression was agreed on, deflated and plain messages come out alike."""
        deflater = zlib.compressobj(wbits=-15)
        texts = [b"hello hello hello", b"plain", b"x" * 100_000]

        def deflated(message):
            data = deflater.compress(message) + deflater.flush(zlib.Z_SYNC_FLUSH)
            return frame(TEXT | 0x40, data[:-4])

        data = deflated(texts[0]) + frame(TEXT, texts[1]) + deflated(texts[2])
        agreed = ["Sec-WebSocket-Extensions: permessage-deflate"]
        with Client(hold, data, headers=agreed, compression="deflate") as client:
            assert client.receive(3) == texts

    @pytest.mark.parametrize("opcode", [TEXT, BINARY])
    def test_fragments(self, opcode):
        """Fragments make one message, with control frames between them."""
        data = frame(opcode, b"hel", fin=False) + frame(PING, b"p") + frame(0, b"lo")
        with Client(says(data)) as client:
            assert client.receive(1) == [b"hello"]


class TestGivenAway:
    """Reading in the reader's place."""

    @staticmethod
    def wait(client):
        """Wait until there is something to read."""
        assert select.select([client.connection.fileno()], [], [], PATIENCE)[0]

    def test_one(self):
        """What has come is returned, without waiting for more."""
        with Client(says(frame(TEXT, b"hello"))) as client:
            client.connection.give()
            self.wait(client)
            assert client.connection.receive_at_once() == [b"hello"]
            assert client.connection.receive_at_once() is None

    def test_taken_back(self, release):
        """After that the reader waits again."""
        with Client(says_later(release, frame(TEXT, b"hello"))) as client:
            assert client.connection.receive(0.001) is None
            client.connection.give()
            client.connection.take_back()
            release.set()
            assert client.connection.receive(PATIENCE) == [b"hello"]

    def test_several_reads(self):
        """Of a buffer that is smaller than what has come each read takes a part."""
        texts = [b"x" * 5000] * 20
        with Client(says(b"".join(frame(TEXT, text) for text in texts))) as client:
            client.connection.give()
            received = []
            while len(received) < 20:
                self.wait(client)
                received += client.connection.receive_at_once(16) or []
            assert received == texts

    def test_over_tls(self, authority, trusting):
        """What TLS holds already is read too, since the socket does not tell of it."""
        context = server_context(authority.issue_cert("localhost"))
        data = frame(TEXT, b"x" * 30_000) + frame(TEXT, b"y" * 12_000)
        with Client(says(data), context=context, ssl_context=trusting) as client:
            client.connection.give()
            received = []
            while len(received) < 2:
                self.wait(client)
                received += client.connection.receive_at_once() or []
                assert not client.line.sock.pending()
            assert received == [b"x" * 30_000, b"y" * 12_000]
            assert client.connection.receive_at_once() is None

    def test_not_while_tls_holds_something(self, authority, trusting):
        """What is decrypted and not yet read would wait for the next bytes to come."""
        context = server_context(authority.issue_cert("localhost"))
        with Client(
            says(frame(TEXT, b"x" * 12_000)), context=context, ssl_context=trusting
        ) as client:
            assert client.connection.receive(PATIENCE) == []
            assert client.line.sock.pending()
            assert not client.connection.may_be_given()
            assert client.receive(1) == [b"x" * 12_000]
            assert client.connection.may_be_given()

    def test_not_while_a_pong_is_awaited(self):
        """Until then the reader looks after its connection."""
        with Client(hold) as client:
            assert client.connection.may_be_given()
            client.connection.ping()
            assert not client.connection.may_be_given()

    @pytest.mark.parametrize("end", [frame(PING, b"p"), close_frame(4401, b"unauthorized")])
    def test_other_business(self, end):
        """Pings and the end are left to the reader, and what came before them is returned."""
        with Client(says(frame(TEXT, b"last") + end)) as client:
            client.connection.give()
            self.wait(client)
            assert client.connection.receive_at_once(16) == [b"last"]
            assert client.connection.has_other_business()
            assert not client.connection.may_be_given()
            client.connection.take_back()
            if end == frame(PING, b"p"):
                assert client.connection.receive(PATIENCE) is None
                assert not client.connection.has_other_business()
            else:
                assert client.lost().code == 4401

    def test_eof(self):
        """The end of the stream is a loss."""
        with Client(lambda sock: None) as client:
            client.connection.give()
            self.wait(client)
            loss = loss_of(client.connection.receive_at_once)
            assert loss.code == 1006

    @pytest.mark.parametrize("how", ["eof", "reset"])
    def test_loss_after_messages(self, how, monkeypatch):
        """What came before is returned; the loss is told to the reader, once."""
        with Client(says(frame(TEXT, b"last"))) as client:
            client.connection.give()
            self.wait(client)
            sock = client.line.sock
            results = [lambda room: sock.recv_into(room), failing(how)]

            class Ending:
                def recv_into(self, room):
                    return results.pop(0)(room)

                def __getattr__(self, name):
                    return getattr(sock, name)

            client.line.sock = Ending()
            assert client.connection.receive_at_once(16) == [b"last"]
            assert client.connection.has_other_business()
            client.connection.take_back()
            loss = client.lost()
            assert loss.code == 1006
            assert how in loss.reason or "without a close frame" in loss.reason

    def test_exception_of_a_signal_handler(self):
        """A TimeoutError that is not the system's is no loss of the connection."""
        with Client(says(frame(TEXT, b"x"))) as client:
            client.connection.give()

            def interrupted():
                raise TimeoutError("an alarm")

            client.connection._read = interrupted
            with pytest.raises(TimeoutError, match="an alarm"):
                client.connection.receive_at_once()
            assert not client.connection.has_other_business()

    def test_not_when_it_is_to_stop(self):
        """Whoever is to read may be waiting for the end of this very reader."""
        with Client(hold) as client:
            client.stop.set()
            assert not client.connection.may_be_given()

    def test_put_back(self):
        """What was put back is what comes next."""
        with Client(says(frame(TEXT, b"two"))) as client:
            client.connection.put_back([b"one"])
            assert not client.connection.may_be_given()
            assert client.receive(2) == [b"one", b"two"]

    def test_sleep(self):
        """It ends by rouse(), by wake(), and when the time is up."""
        with Client(hold) as client:
            client.connection.sleep(0.001)
            client.connection.rouse()
            client.connection.sleep(PATIENCE)
            sleeping = InThread(client.connection.sleep, 1e12)
            client.line.wake()
            sleeping.result()


def failing(how):
    """Return what reads the end of a stream, or a reset."""

    def fail(room):
        if how == "reset":
            raise ConnectionResetError(errno.ECONNRESET, "reset by peer")
        return 0

    return fail


class TestPings:
    """Pings of both sides."""

    @pytest.mark.parametrize("pings", [[b""], [b"abcd"], [b"a", b"b", b"c" * 125]])
    def test_answered(self, pings):
        """Each ping is answered with its own payload, in order."""
        seen = []

        def script(sock):
            sock.sendall(b"".join(frame(PING, ping) for ping in pings))
            seen.extend(read_frame(sock) for _ in pings)
            sock.sendall(frame(TEXT, b"thanks"))
            hold(sock)

        with Client(script) as client:
            assert client.receive(1) == [b"thanks"]
        assert seen == [(PONG, ping) for ping in pings]

    def test_answered_once(self):
        """A ping is not answered again with the next one."""
        seen = []

        def script(sock):
            for ping in (b"a", b"b"):
                sock.sendall(frame(PING, ping))
                seen.append(read_frame(sock))
            sock.sendall(frame(TEXT, b"thanks"))
            hold(sock)

        with Client(script) as client:
            assert client.receive(1) == [b"thanks"]
        assert seen == [(PONG, b"a"), (PONG, b"b")]

    def test_with_the_upgrade(self):
        """A ping that came with the upgrade does not wait for the next bytes to be answered."""
        seen = []

        def script(sock):
            seen.extend(read_frame(sock) for _ in range(2))
            sock.sendall(frame(TEXT, b"thanks"))
            hold(sock)

        with Client(script, then=frame(PING, b"early")) as client:
            client.connection.authenticate(Secret(KEY))
            assert client.receive(1) == [b"thanks"]
        assert [opcode for opcode, _ in seen] == [PONG, TEXT]
        assert seen[0][1] == b"early"

    def test_own(self):
        """A ping has a payload of its own, and only the pong with the same one answers it."""
        seen = []

        def script(sock):
            for _ in range(2):
                seen.append(read_frame(sock))
                sock.sendall(frame(PONG, b"") + frame(PONG, b"other") + frame(TEXT, b"not yet"))
                sock.recv(1)  # a byte of the test's own, below
                sock.sendall(frame(PONG, seen[-1][1]) + frame(TEXT, b"now"))
            hold(sock)

        with Client(script) as client:
            assert not client.connection.awaits_pong
            for _ in range(2):
                client.connection.ping()
                assert client.receive(1) == [b"not yet"]
                assert client.connection.awaits_pong
                client.line.sock.sendall(b"!")
                assert client.receive(1) == [b"now"]
                assert not client.connection.awaits_pong
        assert [opcode for opcode, _ in seen] == [PING, PING]
        assert len({payload for _, payload in seen}) == 2

    def test_unasked(self):
        """A pong that nobody asked for is no harm, RFC 6455 section 5.5.3."""
        with Client(says(frame(PONG, b"hi") + frame(TEXT, b"hello"))) as client:
            assert client.receive(1) == [b"hello"]
            assert client.connection._frames.pongs == []


class TestEnd:
    """How a connection ends, and what the peer is told."""

    @pytest.mark.parametrize(
        ("data", "code", "reason", "answer"),
        [
            (close_frame(1000, b"bye"), 1000, "bye", 1000),
            (close_frame(1011, b"gateway error"), 1011, "gateway error", 1011),
            (close_frame(1012), 1012, "", 1012),
            (close_frame(4401, b"unauthorized"), 4401, "unauthorized", 4401),
            (close_frame(4008, "z\u00e4h".encode()), 4008, "z\u00e4h", 4008),
            (frame(CLOSE), 1005, "", 1000),
        ],
    )
    def test_close_frame(self, data, code, reason, answer):
        """The peer's close frame is told with code and reason, and answered with the same code."""
        seen = []

        def script(sock):
            sock.sendall(data)
            seen.append(read_frame(sock))
            assert sock.recv(1) == b""
            done.set()

        done = threading.Event()
        with Client(script) as client:
            loss = client.lost()
            assert done.wait(PATIENCE)
        assert (loss.code, loss.reason) == (code, reason)
        assert seen == [(CLOSE, struct.pack("!H", answer))]

    @pytest.mark.parametrize(
        ("data", "code", "words"),
        [
            (frame(TEXT, b"x", masked=True), 1002, "masked"),
            (frame(TEXT | 0x40, b"x"), 1002, "reserved bit"),
            (frame(0x3, b"x"), 1002, "opcode 3"),
            (frame(PING, b"x", fin=False), 1002, "control frame"),
            (frame(PING, b"x" * 126), 1002, "control frame"),
            (frame(0, b"x"), 1002, "out of order"),
            (frame(TEXT, b"\xff"), 1007, "UTF-8"),
            (frame(TEXT, b"x" * 1001), 1009, "1000 bytes"),
            (frame(TEXT, b"x" * 600, fin=False) + frame(0, b"x" * 600), 1009, "1000 bytes"),
            (struct.pack("!BBQ", 0x81, 127, 2**62), 1009, "1000 bytes"),
            (frame(CLOSE, b"x"), 1002, "close frame"),
            (close_frame(1006), 1002, "close frame"),
        ],
    )
    def test_violation(self, data, code, words):
        """A violation is told with the code that the peer is closed with, and what it was."""
        seen = []

        def script(sock):
            sock.sendall(data)
            seen.append(read_frame(sock))
            hold(sock)
            done.set()

        done = threading.Event()
        with Client(script, max_frame_bytes=1000) as client:
            loss = client.lost()
            assert done.wait(PATIENCE)
        assert loss.code == code
        assert loss.reason.startswith("protocol violation: ")
        assert words in loss.reason
        assert seen == [(CLOSE, struct.pack("!H", code))]

    @pytest.mark.parametrize("end", [close_frame(1011), frame(TEXT, b"\xff")])
    def test_messages_before_the_end(self, end):
        """What came whole before the end is returned first, and what came after it is not."""
        data = frame(TEXT, b"one") + frame(TEXT, b"two") + end + frame(TEXT, b"three")
        with Client(says(data)) as client:
            assert client.receive(2) == [b"one", b"two"]
            assert client.lost().code in (1011, 1007)

    def test_eof(self):
        """An end without a close frame is a loss without a code."""
        with Client(lambda sock: sock.sendall(frame(TEXT, b"one"))) as client:
            assert client.receive(1) == [b"one"]
            loss = client.lost()
        assert loss.code == 1006
        assert "without a close frame" in loss.reason

    def test_eof_in_a_message(self):
        """The end in the middle of a message is one as well; the half is not returned."""
        with Client(lambda sock: sock.sendall(frame(TEXT, b"hello")[:-1])) as client:
            assert client.lost().code == 1006

    def test_reset(self):
        """A reset is a loss with the system's words."""
        with Client(reset) as client:
            loss = client.lost()
        assert loss.code == 1006
        assert isinstance(loss.cause, ConnectionResetError)
        assert "the connection: " in loss.reason


class TestWrite:
    """Writes that fail or hang."""

    def test_peer_takes_nothing(self, release):
        """A peer that takes nothing for ping_timeout is gone."""
        with Client(deaf(release), ping_timeout=SHORT) as client:
            client.fill()
            with pytest.raises(Lost) as told:
                client.connection.ping()
            release.set()
        assert told.value.loss.code == 1006
        assert "no answer in time" in told.value.loss.reason

    def test_peer_is_gone(self):
        """A write to a connection that is gone is a loss."""
        with Client(hold) as client:
            client.line.sock.shutdown(socket.SHUT_WR)
            with pytest.raises(Lost) as told:
                client.connection.ping()
        assert told.value.loss.code == 1006
        assert isinstance(told.value.loss.cause, BrokenPipeError)

    def test_read_after_write(self, release):
        """The time limit of a write is not that of the next read."""

        def script(sock):
            read_frame(sock)
            hold(sock)

        with Client(script, ping_timeout=60.0) as client:
            client.connection.ping()
            assert client.connection.receive(0.01) is None


class TestClose:
    """Our own end."""

    @pytest.mark.parametrize("code", [1000, 1001])
    def test_tells_the_peer(self, code):
        """The peer gets a close frame, and then the end."""
        seen = []

        def script(sock):
            seen.append(read_frame(sock))
            assert sock.recv(1) == b""
            done.set()

        done = threading.Event()
        with Client(script) as client:
            client.connection.close(code)
            assert done.wait(PATIENCE)
            assert client.line.sock.fileno() == -1
        assert seen == [(CLOSE, struct.pack("!H", code))]

    def test_twice(self):
        """A second close does nothing."""
        with Client(hold) as client:
            client.connection.close(1000)
            client.connection.close(1000)
            assert client.line.sock.fileno() == -1

    def test_before_open(self):
        """What was never open can be closed."""
        line = Line()
        connection = Connection(line, Settings(keys=KeySource(KEY)), Interrupt())
        connection.close(1000)
        assert line.sock is None

    @pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 101 Switching"])
    def test_before_the_upgrade(self, begin):
        """Who has not answered the upgrade, or not to its end, is sent no frame."""
        seen = []

        def behave(sock):
            read_head(sock)
            sock.sendall(begin)
            seen.append(sock.recv(1))

        line, stop = Line(), Interrupt()
        with RawServer(behave) as server:
            settings = Settings(keys=KeySource(KEY), base_url=server.url)
            connection = Connection(line, settings, stop)
            with pytest.raises(Lost, match="no answer in time"):
                connection.open(f"{server.url}/v1", settings, Deadline(SHORT))
            connection.close(1000)
            server._threads[-1].join(PATIENCE)
        assert seen == [b""]

    def test_does_not_block(self, release):
        """Where no byte goes out any more, the close frame is left away."""
        with Client(deaf(release)) as client:
            client.fill()
            client.connection.close(1000)
            assert client.line.sock.fileno() == -1
            release.set()

    def test_peer_is_gone(self):
        """Where nobody is there to be told, nothing is raised."""
        with Client(reset) as client:
            client.lost()
            client.connection.close(1000)
            assert client.line.sock.fileno() == -1


class TestStop:
    """Another thread's stop ends each wait at once."""

    def stopped(self, client, function, ready):
        """Call the function, stop when ready, and return how it ended."""

        def call():
            with client.stop.waking(client.line.wake):
                return loss_of(function)

        running = InThread(call)
        assert ready.wait(PATIENCE)
        client.stop.set()
        return running.result()

    def test_read(self):
        """While nothing comes; a close frame can still be sent."""
        ready = threading.Event()
        seen = []

        def script(sock):
            seen.append(read_frame(sock))
            ready.set()
            seen.append(read_frame(sock))

        with Client(script) as client:
            client.connection.authenticate(Secret(KEY))
            loss = self.stopped(client, lambda: client.connection.receive(60.0), ready)
            client.connection.close(1000)
            client.server._threads[-1].join(PATIENCE)
        assert loss.code == 1006
        assert seen[1:] == [(CLOSE, struct.pack("!H", 1000))]

    def test_read_over_tls(self, authority, trusting):
        """While nothing comes, with TLS below."""
        ready = threading.Event()

        def script(sock):
            sock.sendall(frame(PING, b"are you there"))
            read_frame(sock)
            ready.set()
            hold(sock)

        context = server_context(authority.issue_cert("localhost"))
        with Client(script, context=context, ssl_context=trusting) as client:
            loss = self.stopped(client, lambda: client.connection.receive(60.0), ready)
            client.connection.close(1000)
        assert loss.code == 1006

    def test_flood(self):
        """While the server sends faster than anybody can read."""
        ready = threading.Event()
        data = frame(TEXT, b"x" * 50_000) * 20

        def script(sock):
            sock.sendall(data)
            ready.set()
            while True:
                sock.sendall(data)

        with Client(script) as client:
            loss = self.stopped(client, lambda: client.connection.receive(60.0), ready)
            client.connection.close(1000)
        assert loss.code == 1006

    def test_write(self, release, monkeypatch):
        """While a write hangs."""
        writing = threading.Event()
        original = socket.socket.sendall

        def sendall(self, data):
            writing.set()
            return original(self, data)

        with Client(deaf(release), ping_timeout=60.0) as client:
            client.fill()
            monkeypatch.setattr(socket.socket, "sendall", sendall)
            loss = self.stopped(client, client.connection.ping, writing)
            release.set()
        assert loss.code == 1006

    def test_before_a_write(self):
        """What is stopped already writes nothing."""
        with Client(hold) as client:
            client.stop.set()
            with pytest.raises(Lost) as told:
                client.connection.authenticate(Secret(KEY))
        assert (told.value.loss.code, told.value.loss.reason) == (1006, "closed")


def test_a_pong_that_cannot_be_sent_takes_nothing_along(monkeypatch):
    """The messages of the same read are handed over, and the close frame's code is told."""
    burst = frame(TEXT, b"1") + frame(TEXT, b"2") + frame(PING, b"?") + close_frame(4402)
    with Client(says(burst)) as client:

        def broken(build, timeout=None):
            raise Lost(1006, "broken pipe")

        monkeypatch.setattr(client.connection, "_send", broken)
        assert client.receive(2) == [b"1", b"2"]
        assert client.lost().code == 4402


def test_a_pong_that_cannot_be_sent_is_a_loss(monkeypatch):
    """Where nothing else came with the ping, the broken pipe is the end."""
    with Client(says(frame(PING, b"?"))) as client:

        def broken(build, timeout=None):
            raise Lost(1006, "broken pipe")

        monkeypatch.setattr(client.connection, "_send", broken)
        assert client.lost().reason == "broken pipe"
