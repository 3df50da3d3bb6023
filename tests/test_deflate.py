"""RFC 7692 without a socket: what a server may answer, and data of every kind."""

from __future__ import annotations

import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexus_sync.deflate import (
    OFFER,
    Agreement,
    Corrupt,
    Inflater,
    Refused,
    agree,
    deflated_limit,
)

MIB = 1024 * 1024


class Deflater:
    """A server's half, with the choices of section 7.1."""

    def __init__(self, bits=15, takeover=True, memory=8):
        self._bits, self._takeover, self._memory = bits, takeover, memory
        self._start()

    def _start(self):
        self._zlib = zlib.compressobj(wbits=-self._bits, memLevel=self._memory)

    def __call__(self, message):
        """Return a message as section 7.2.1 makes it."""
        data = self._zlib.compress(message) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(b"\0\0\xff\xff")
        if not self._takeover:
            self._start()
        return data[:-4]


def last_block(message):
    """Return a message that ends its stream of blocks, section 7.2.3.4."""
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(message) + deflater.flush() + b"\0"


def inflater(**agreement):
    """Return what inflates after this agreement."""
    return Inflater(Agreement(**agreement))


def whole(reader, data, limit=MIB):
    """Inflate a message of one frame."""
    return reader.inflate(data, True, limit)


class TestAgree:
    """The server's answer to the offer."""

    def test_offer(self):
        """The server may limit our window, and choose the rest by itself."""
        assert OFFER == "permessage-deflate; client_max_window_bits"

    @pytest.mark.parametrize(
        ("answer", "agreement"),
        [
            ("permessage-deflate", Agreement()),
            (" permessage-deflate\t", Agreement()),
            (
                "permessage-deflate; server_no_context_takeover",
                Agreement(server_no_context_takeover=True),
            ),
            (
                "permessage-deflate;client_no_context_takeover",
                Agreement(client_no_context_takeover=True),
            ),
            (
                "permessage-deflate; server_max_window_bits=8",
                Agreement(server_max_window_bits=8),
            ),
            (
                'permessage-deflate ; client_max_window_bits = "15"',
                Agreement(client_max_window_bits=15),
            ),
            (
                "permessage-deflate; client_max_window_bits=9; server_max_window_bits=12; "
                "client_no_context_takeover; server_no_context_takeover",
                Agreement(True, True, 12, 9),
            ),
        ],
    )
    def test_good(self, answer, agreement):
        """Every parameter of section 7.1, in any order and in both ways of writing a value."""
        assert agree(answer) == agreement

    @pytest.mark.parametrize("bits", range(8, 16))
    def test_windows(self, bits):
        """A window has 8 to 15 bits."""
        assert agree(f"permessage-deflate; server_max_window_bits={bits}") == Agreement(
            server_max_window_bits=bits
        )

    @pytest.mark.parametrize(
        "answer",
        [
            "",
            "x",
            "deflate-frame",
            "x-webkit-deflate-frame",
            "Permessage-Deflate",
            "permessage-bzip2; x=1",
            "permessage-deflate, permessage-deflate",
            "permessage-deflate, x",
            "x, permessage-deflate",
            "permessage-deflate,",
            "permessage-deflate;",
            "permessage-deflate;;",
            "permessage-deflate; =1",
            "permessage-deflate; server_max_window_bits=",
            'permessage-deflate; server_max_window_bits="9',
            'permessage-deflate; server_max_window_bits=""',
            "permessage deflate",
        ],
    )
    def test_another_extension(self, answer):
        """Whatever is not the one extension that was offered is refused."""
        with pytest.raises(Refused, match="nobody offered") as told:
            agree(answer)
        assert repr(answer) in str(told.value)

    @pytest.mark.parametrize(
        "parameters",
        [
            "x",
            "x=1",
            "Server_no_context_takeover",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "server_no_context_takeover; server_no_context_takeover",
            "server_max_window_bits",
            "client_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=08",
            "server_max_window_bits=-9",
            "client_max_window_bits=9.0",
            "client_max_window_bits=0",
            "server_max_window_bits=9; server_max_window_bits=9",
            "client_max_window_bits=9; server_no_context_takeover; client_max_window_bits=10",
        ],
    )
    def test_wrong_parameters(self, parameters):
        """Unknown, repeated and invalid parameters are refused, section 7.1."""
        name = parameters.split(";")[-1].split("=")[0].strip()
        with pytest.raises(Refused, match=f"{name} is unknown, wrong or repeated"):
            agree(f"permessage-deflate; {parameters}")

    def test_long_answer(self):
        """An answer of any length makes a message of a bearable one."""
        with pytest.raises(Refused) as told:
            agree("permessage-deflate; " + "x" * 60_000)
        assert len(str(told.value)) < 400
        with pytest.raises(Refused) as told:
            agree("y" * 60_000)
        assert len(str(told.value)) < 300

    @given(st.text(alphabet='permssag-dflt;=" ,\t_01589wxc', max_size=60))
    def test_noise(self, text):
        """Any text is an agreement or refused."""
        try:
            assert isinstance(agree(f"permessage-deflate{text}"), Agreement)
        except Refused:
            pass


class TestInflater:
    """One connection's messages."""

    @pytest.mark.parametrize(
        "message",
        [b"", b"a", b"x" * 100_000, os.urandom(50_000)],
        ids=["empty", "one byte", "repeated", "noise"],
    )
    def test_messages(self, message):
        """A message comes out as it went in, again and again."""
        deflate, reader = Deflater(), inflater()
        for _ in range(5):
            assert whole(reader, deflate(message)) == message

    def test_examples(self):
        """The examples of sections 7.2.3.1 to 7.2.3.5."""
        hello = bytes.fromhex("f248cdc9c90700")
        assert whole(inflater(), hello) == b"Hello"
        shared = inflater()
        assert whole(shared, hello) == b"Hello"
        assert whole(shared, bytes.fromhex("f200110000")) == b"Hello"
        assert whole(inflater(), bytes.fromhex("000500faff48656c6c6f00")) == b"Hello"
        assert whole(inflater(), bytes.fromhex("f348cdc9c9070000")) == b"Hello"
        two_blocks = bytes.fromhex("f248050000 00ffffcac9c907 00".replace(" ", ""))
        assert whole(inflater(), two_blocks) == b"Hello"

    def test_context_takeover(self):
        """A message may refer to the one before it, so that it is much shorter."""
        deflate, reader = Deflater(), inflater()
        message = os.urandom(500)
        first, second = deflate(message), deflate(message)
        assert len(second) < len(first) / 10
        assert whole(reader, first) == message
        assert whole(reader, second) == message

    def test_no_context_takeover(self):
        """Where that was agreed nothing is kept, and a reference backwards is corrupt."""
        reader = inflater(server_no_context_takeover=True)
        deflate = Deflater(takeover=False)
        message = os.urandom(500)
        for _ in range(3):
            assert whole(reader, deflate(message)) == message
        deflate = Deflater()
        assert whole(reader, deflate(message)) == message
        with pytest.raises(Corrupt):
            whole(reader, deflate(message))

    def test_no_context_takeover_within_a_message(self):
        """A message's frames belong together even then."""
        reader = inflater(server_no_context_takeover=True)
        message = os.urandom(500) * 2
        data = Deflater(takeover=False)(message)
        parts = [reader.inflate(data[:300], False, MIB), reader.inflate(data[300:], True, MIB)]
        assert b"".join(parts) == message

    @pytest.mark.parametrize("bits", range(9, 16))
    def test_window(self, bits):
        """The window that the server has chosen is enough for what it sends."""
        deflate, reader = Deflater(bits), inflater(server_max_window_bits=bits)
        message = os.urandom(200) * 300
        for _ in range(3):
            assert whole(reader, deflate(message)) == message

    def test_window_broken(self):
        """A reference that reaches farther than agreed is corrupt."""
        message = os.urandom(4000)
        deflate, reader = Deflater(15), inflater(server_max_window_bits=9)
        assert whole(reader, deflate(message)) == message
        with pytest.raises(Corrupt):
            whole(reader, deflate(message))

    def test_last_block(self):
        """A server may end its stream of blocks with a message, and go on with a new one."""
        reader = inflater()
        for message in (b"one" * 100, b"two", b""):
            assert whole(reader, last_block(message)) == message
        assert whole(reader, Deflater()(b"three")) == b"three"

    def test_last_block_in_a_fragment(self):
        """The last block may end where a frame does."""
        reader = inflater()
        data = last_block(b"x" * 1000)
        assert reader.inflate(data[:-1], False, MIB) == b"x" * 1000
        assert reader.inflate(data[-1:], True, MIB) == b""
        assert whole(reader, Deflater()(b"next")) == b"next"

    def test_many_last_blocks(self):
        """A frame of nothing but last blocks is refused at the second."""
        with pytest.raises(Corrupt, match="more than one last block"):
            whole(inflater(), b"\x03\x00" * 100_000)

    @pytest.mark.parametrize("data", [b"\xff", b"\x07", b"\x00\x01\x00\x00\x00", b"\x05\xff\xff"])
    def test_corrupt(self, data):
        """What is no deflate is told."""
        with pytest.raises(Corrupt):
            whole(inflater(), data)

    @pytest.mark.parametrize("limit", [1, 100, 99_999])
    def test_bomb(self, limit):
        """No more comes out than says that it is too much."""
        data = Deflater()(b"x" * 100_000)
        assert len(data) < 200
        assert len(whole(inflater(), data, limit)) == limit + 1

    def test_limit(self):
        """As much as allowed is allowed."""
        message = os.urandom(100_000)
        assert whole(inflater(), Deflater()(message), 100_000) == message

    def test_limit_after_a_last_block(self):
        """The blocks before and behind a last one count together."""
        data = last_block(b"x" * 100)[:-1] + Deflater()(b"y" * 100)
        assert whole(inflater(), data) == b"x" * 100 + b"y" * 100
        assert whole(inflater(), data, 200) == b"x" * 100 + b"y" * 100
        for limit in (99, 100, 150, 199):
            assert len(whole(inflater(), data, limit)) == limit + 1

    @given(st.binary(max_size=100), st.integers(1, 50))
    def test_noise(self, data, limit):
        """Any bytes are inflated, within the limit, or corrupt."""
        try:
            assert len(whole(inflater(), data, limit)) <= limit + 1
        except Corrupt:
            pass

    @given(
        st.lists(st.binary(max_size=300), max_size=5),
        st.booleans(),
        st.lists(st.integers(0, 300), max_size=3),
    )
    def test_any_fragments(self, messages, takeover, cuts):
        """However a message is cut into frames, the same comes out."""
        deflate = Deflater(takeover=takeover)
        reader = inflater(server_no_context_takeover=not takeover)
        for message in messages:
            data = deflate(message)
            borders = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
            parts = [data[a:b] for a, b in zip(borders, borders[1:])]
            last = parts.pop()
            inflated = b"".join(reader.inflate(part, False, MIB) for part in parts)
            assert inflated + reader.inflate(last, True, MIB) == message


@pytest.mark.parametrize("size", [0, 1, 100, 5000, 100_000, MIB])
@pytest.mark.parametrize("memory", [1, 8, 9])
def test_deflated_limit(size, memory):
    """No message gets longer by being compressed than is allowed for it."""
    assert len(Deflater(memory=memory)(os.urandom(size))) <= deflated_limit(size)
