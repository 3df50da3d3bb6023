"""What programs do that use the library: Ctrl-C, falling off the end, and children of any kind.

Each runs in a process of its own against the test's simulator, and prints a line when it has come
so far that the test may go on.
"""

from __future__ import annotations

import sys
import textwrap

import pytest

HEAD = """
import logging, multiprocessing, os, socket, sys, threading
from plexus_sync import Subscription, VideoStream

logging.getLogger("plexus_sync").addHandler(logging.NullHandler())

def work(queue):
    with Subscription(VideoStream("robot-01")) as own:
        queue.put(type(own.get(20)).__name__)

def unreachable():
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return Subscription(
        VideoStream("robot-01"), base_url="ws://127.0.0.1:%d" % held.getsockname()[1]
    )

def main():
    sub = Subscription(VideoStream("robot-01"))
"""


@pytest.fixture
def program(simulator, launch, environment, tmp_path):
    """Start a program whose ``main`` goes on as given; a traceback fails the test."""
    started = []

    def program(body):
        path = tmp_path / f"program{len(started)}.py"
        body = textwrap.indent(textwrap.dedent(body), "    ")
        path.write_text(f'{HEAD}{body}\nif __name__ == "__main__":\n    main()\n')
        # Newer Pythons warn of every fork beside threads, which is what is tested here.
        env = {**environment(simulator), "PYTHONWARNINGS": "ignore::DeprecationWarning"}
        started.append(launch(sys.executable, str(path), env=env))
        return started[-1]

    yield program
    for each in started:
        assert "Traceback" not in each.output, each.output
        assert "Exception ignored" not in each.output, each.output


# Ctrl-C. Each way to block says that it is there by on_state or its first frame, so that the signal
# finds the program in it or on its way there.

WAYS = {
    "run": """
        sub.on_init(lambda frame: print("ready"))
        sub.run()
    """,
    "get": """
        sub.get()
        print("ready")
        sub.get()
    """,
    "iteration": """
        for frame in sub:
            print("ready")
    """,
    "iteration in with": """
        with sub:
            for frame in sub:
                print("ready")
    """,
    "wait": """
        sub.on_init(lambda frame: print("ready"))
        with sub:
            sub.wait()
    """,
    "wait, as a queue": """
        with sub:
            sub.get()
            print("ready")
            sub.wait()
    """,
    "start": """
        sub = unreachable()
        sub.on_frame(print)
        sub.on_state(lambda change: print("ready") if change.current.value == "waiting" else None)
        sub.start(timeout=1000)
    """,
    "a callback": """
        forever = threading.Event()
        sub.on_init(lambda frame: (print("ready"), forever.wait()))
        sub.run()
    """,
}


@pytest.mark.parametrize("way", WAYS)
def test_ctrl_c(program, simulator, way):
    """It comes out as KeyboardInterrupt at once, from whatever blocks; then nothing is left."""
    running = program(
        "try:\n"
        + textwrap.indent(textwrap.dedent(WAYS[way]), "    ")
        + textwrap.dedent(
            """
            except KeyboardInterrupt:
                print("interrupted")
                assert sub.close()
                left = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
                print("left", left, [status.state.value for status in sub.status().values()])
            """
        )
    )
    running.wait_for("ready")
    assert running.interrupt() == 0
    assert running.lines[-2:] == ["interrupted\n", "left [] ['ended']\n"]
    simulator.wait_for_connections(0)


# The end of a script.

ENDS = {
    "a queue": """
        sub.start()
        sub.get()
    """,
    "callbacks": """
        opened = threading.Event()
        sub.on_init(lambda frame: opened.set())
        sub.start()
        opened.wait()
    """,
    "a callback that hangs": """
        opened = threading.Event()
        sub.on_init(lambda frame: (opened.set(), threading.Event().wait()))
        sub.start()
        opened.wait()
    """,
    "waiting for the next attempt": """
        waiting = threading.Event()
        sub = unreachable()
        sub.on_frame(print)
        sub.on_state(lambda change: waiting.set() if change.current.value == "waiting" else None)
        sub.start()
        waiting.wait()
    """,
    "never started": "",
    "an exception": """
        sub.start()
        sub.get()
        sys.exit(0)
    """,
}


@pytest.mark.parametrize("end", ENDS)
def test_falling_off_the_end(program, simulator, end):
    """A script that forgets close() ends all the same: at once, with 0, without a word."""
    running = program(ENDS[end])
    assert running.wait() == 0
    assert running.output == ""
    simulator.wait_for_connections(0)


# Children.


def test_a_forked_child_makes_its_own(program, simulator):
    """It cannot use the parent's, which goes on; one of its own works; its exit ends nothing."""
    running = program(
        """
        with sub:
            sub.get()
            child = os.fork()
            if child == 0:
                try:
                    sub.get()
                except RuntimeError as error:
                    print("refused", "make one of your own" in str(error))
                with Subscription(VideoStream("robot-01")) as own:
                    print("child", type(own.get(20)).__name__)
                sys.exit(0)  # through all of the interpreter's own end
            print("status", os.waitpid(child, 0)[1])
            print("parent", type(sub.get(20)).__name__)
            (status,) = sub.status().values()
            print("attempts", status.attempts)
        """
    )
    running.wait_for("status 0")
    simulator.wait_for_connections(1)  # the parent's
    simulator.publish("robot-01", "video", {"type": "init", "online_sources": None})
    assert running.wait() == 0
    assert running.lines == [
        "refused True\n",
        "child InitFrame\n",
        "status 0\n",
        "parent InitFrame\n",
        "attempts 1\n",
    ]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(program, simulator, method):
    """Workers of any kind watch by themselves, beside a parent that watches too."""
    running = program(
        f"""
        context = multiprocessing.get_context("{method}")
        with sub:
            sub.get()
            queue = context.SimpleQueue()
            workers = [context.Process(target=work, args=(queue,)) for _ in range(2)]
            for worker in workers:
                worker.start()
            print([queue.get() for _ in workers])
            for worker in workers:
                worker.join()
            print([worker.exitcode for worker in workers])
            (status,) = sub.status().values()
            print("attempts", status.attempts, status.state.value)
            if "{method}" != "fork":
                try:
                    context.Process(target=work, args=(sub,)).start()
                except TypeError as error:
                    print(error)
        """
    )
    assert running.wait() == 0
    expected = ["['InitFrame', 'InitFrame']\n", "[0, 0]\n", "attempts 1 open\n"]
    if method != "fork":
        expected.append(
            "a Subscription holds threads and sockets: it cannot be pickled or copied\n"
        )
    assert running.lines == expected
    simulator.wait_for_connections(0)
