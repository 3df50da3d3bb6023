"""The README and the documents: every block of Python in them is a program, and runs."""

from __future__ import annotations

import ast
import contextlib
import doctest
import os
import queue
import re
import subprocess
import sys
import textwrap
import threading
import types
from pathlib import Path

import attrs
import pytest
from helpers import PATIENCE, InThread

import plexus_sync
from plexus_sync import Gap, InitFrame, PaymentRequiredError, Subscription, simulator
from plexus_sync.dispatch import Dispatcher
from plexus_sync.simulator import Simulator

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", *sorted(ROOT.glob("docs/**/*.rst"))]
LANGUAGES = {"python", "console", "json"}
PLAN_ENDED = 4402


@attrs.frozen
class Block:
    """One block of code; ``line`` is where it begins in its document."""

    document: str
    line: int
    language: str
    code: str

    def __str__(self):
        """Return what names the test."""
        return f"{self.document}:{self.line}"


def blocks(path):
    """Yield the blocks of code of a document, those in tables too."""
    document = path.relative_to(ROOT).as_posix()
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines):
        directive = re.search(r"\.\. code-block:: *(\S*)", line)
        if directive is None:
            continue
        body = []
        for following in lines[number + 1 :]:
            if following.strip() and len(following) - len(following.lstrip()) <= directive.start():
                break
            body.append(following)
        yield Block(document, number + 1, directive[1], textwrap.dedent("\n".join(body)).strip())


ALL_BLOCKS = [block for path in DOCUMENTS for block in blocks(path)]
PYTHON = [block for block in ALL_BLOCKS if block.language == "python"]
TESTS = [block for block in PYTHON if "\ndef test_" in block.code]
PROGRAMS = [block for block in PYTHON if block not in TESTS]


class Stage:
    """Where a block is played: a fleet of devices, and somebody who ends the play.

    A program that would run until Ctrl-C is left alone until each of its streams has brought data,
    has lost its connection and has come back; then the plan of its key ends.
    """

    def __init__(self, sim, monkeypatch):
        self._sim = sim
        self._handed_over = queue.SimpleQueue()  # frames, and None at the end of the program
        self._over = threading.Event()
        self.subscriptions = []
        self.frames = 0
        self.names = {
            "__name__": "__main__",
            "input": lambda prompt: self.spin(),
        }
        self._watch(monkeypatch)

    def _watch(self, monkeypatch):
        """Learn of every subscription, and of every frame that is handed over."""
        init, take = Subscription.__init__, Dispatcher.next

        def recording_init(subscription, *args, **settings):
            init(subscription, *args, **settings)
            self.subscriptions.append(subscription)

        def recording_next(dispatcher, *args):
            frame = take(dispatcher, *args)
            self._handed_over.put(frame)
            return frame

        monkeypatch.setattr(Subscription, "__init__", recording_init)
        monkeypatch.setattr(Dispatcher, "next", recording_next)

    def spin(self):
        """Be what a program does while its subscription runs in the background."""
        assert self._over.wait(PATIENCE), "nothing came"

    def play(self, block):
        """Run a block; the only error that it may end with is the one that ends the play."""
        program = InThread(self._run, block)
        try:
            self._conduct()
            with contextlib.suppress(PaymentRequiredError):
                program.result()
        finally:
            self._over.set()
            for subscription in self.subscriptions:
                subscription.close()
            self.names.clear()

    def _run(self, block):
        try:
            exec(compile(block.code, str(block), "exec"), self.names)
            if "app" in self.names:
                self._visit(self.names["app"])
        finally:
            self._handed_over.put(None)

    def _visit(self, app):
        """Be a browser."""
        client = app.test_client()
        assert client.get("/").status_code == 200  # starts the subscription
        self.spin()
        assert "battery.percent" in client.get("/").get_json()

    def _conduct(self):
        seen, back = set(), set()
        while not (seen and seen >= self._streams()):
            frame = self._next()
            if frame is None:
                return
            if not isinstance(frame, InitFrame):  # which the server sends before any picture
                seen.add(frame.stream)
        self._sim.cut()
        while not back >= seen:
            frame = self._next()
            if frame is None:
                return
            if isinstance(frame, Gap) and frame.reason == "connection":
                back.add(frame.stream)
        self._over.set()
        self._sim.unpaid_keys.add(self._sim.api_key)  # for one that is connecting just now
        self._sim.close(PLAN_ENDED)

    def _streams(self):
        return {stream for each in self.subscriptions for stream in each.status()}

    def _next(self):
        frame = self._handed_over.get(timeout=PATIENCE)
        self.frames += frame is not None
        return frame


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """Prepare a fleet, and an environment that points to it."""
    sources = [f"robot-{number:02}" for number in range(1, 21)]
    with Simulator(rate=50, video_rate=20, sources=sources) as sim:
        monkeypatch.setenv("PLEXUS_API_KEY", sim.api_key)
        monkeypatch.setenv("PLEXUS_DATA_API_URL", sim.url)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "key.txt").write_text(f"{sim.api_key}\n", encoding="utf-8")
        yield Stage(sim, monkeypatch)


def stand_in_for_ros(monkeypatch, spin):
    """Put modules in the place of rospy and its messages, which pip cannot install."""
    published = []

    class Publisher:
        def __init__(self, topic, kind, queue_size):
            self.topic, self.kind = topic, kind

        def publish(self, message):
            assert isinstance(message, self.kind)
            published.append(self.topic)

    class Message(types.SimpleNamespace):
        def __init__(self, **fields):
            super().__init__(header=types.SimpleNamespace(), **fields)

    class CompressedImage(Message):
        pass

    class Float64(Message):
        pass

    modules = {
        "rospy": {
            "init_node": lambda name: None,
            "spin": spin,
            "Publisher": Publisher,
            "Time": types.SimpleNamespace(from_sec=float),
        },
        "sensor_msgs": {},
        "sensor_msgs.msg": {"CompressedImage": CompressedImage},
        "std_msgs": {},
        "std_msgs.msg": {"Float64": Float64},
    }
    for name, contents in modules.items():
        module = types.ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    return published


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_program(stage, monkeypatch, block):
    """It runs as it stands, receives data, survives a lost connection and ends."""
    published = stand_in_for_ros(monkeypatch, stage.spin) if "import rospy" in block.code else None
    stage.play(block)
    if "Subscription" in block.code:
        assert stage.frames
    if published is not None:
        assert set(published) == {"battery", "front/compressed"}


@pytest.mark.parametrize("block", TESTS, ids=str)
def test_tests_of_a_user(block, tmp_path):
    """A user's own tests pass, with the fixture that pytest finds by itself once installed."""
    (tmp_path / "test_own.py").write_text(block.code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "plexus_sync.testing", "test_own.py"]
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-W", "error"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout.decode()


@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if ">>> " in path.read_text(encoding="utf-8")], ids=str
)
def test_doctests(path):
    """What a prompt shows is what comes."""
    text = path.read_text(encoding="utf-8")
    examples = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    results = doctest.DocTestRunner().run(examples)
    assert results.attempted
    assert not results.failed


def test_there_are_blocks():
    """The blocks are found, and in no language that nobody looks at."""
    assert {block.document for block in PROGRAMS} >= {"README.rst", "docs/guides/queue.rst"}
    assert TESTS
    assert {block.language for block in ALL_BLOCKS} == LANGUAGES


def test_the_interface_is_complete():
    """Every public name, and every public method of a subscription, has its place."""
    text = (ROOT / "docs" / "interface.rst").read_text(encoding="utf-8")
    named = set(re.findall(r"\.\. (?:auto|py:)?\w+:: (\w+)", text))
    members = set(re.findall(r"\w+", " ".join(re.findall(r":members: (.*)", text))))
    assert set(plexus_sync.__all__) <= named
    assert set(simulator.__all__) <= named
    assert "plexus_simulator" in named
    methods = {name for name in dir(Subscription) if not name.startswith("_")}
    assert methods <= named | members


@pytest.mark.parametrize(("page", "least"), [("reliability", 60), ("security", 50)])
def test_the_tests_that_a_page_names_are_there(page, least):
    """Each promise of the pages on reliability and security is proved by tests of that name."""
    text = (ROOT / "docs" / f"{page}.rst").read_text(encoding="utf-8")
    named = set(re.findall(r"``(?:tests/)?((?:\w+/)*test_\w+\.py)((?:::\w+)*)``", text))
    assert len(named) > least
    for file, path in named:
        (found,) = (ROOT / "tests").rglob(file)
        nodes = ast.parse(found.read_text(encoding="utf-8")).body
        for name in path.split("::")[1:]:
            inner = [node.body for node in nodes if getattr(node, "name", "") == name]
            assert inner, f"{file}{path}"
            (nodes,) = inner
