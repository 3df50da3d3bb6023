"""Settings, the API key and the proxy: what is taken, what is refused, what is never shown."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import pprint
import ssl
import traceback

import attrs
import pytest
from helpers import shown_of

from plexus_sync import ConfigError, MetricsStream, Reconnect, Subscription
from plexus_sync.settings import MAX_SEEN, KeySource, Proxy, Secret, Settings
from plexus_sync.wire import frame_error

KEY = "plx_0123456789abcdefghijklmnopqrstuv"


def settings(**arguments):
    """Return settings with a key."""
    return Settings(keys=KeySource(KEY), **arguments)


def refusal(**arguments):
    """Return the message with which the settings are refused; Subscription refuses them too."""
    with pytest.raises(ConfigError) as told:
        settings(**arguments)
    with pytest.raises(ConfigError) as told_by_face:
        Subscription(api_key=KEY, **arguments)
    assert str(told.value) == str(told_by_face.value)
    assert isinstance(told.value, ValueError)
    return str(told.value)


@pytest.fixture
def key_file(tmp_path, monkeypatch):
    """Return the path of the vendor's file below a home of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".plexus" / "config.json"
    path.parent.mkdir()
    return path


class TestArguments:
    """Each argument of the subscription."""

    def test_defaults(self):
        """Without arguments the documented defaults hold."""
        plain = settings()
        assert plain.base_url == "wss://api.plexus.company"
        assert plain.reconnect == Reconnect()
        assert (plain.connect_timeout, plain.ping_interval, plain.ping_timeout) == (10, 20, 20)
        assert plain.max_frame_bytes == 16 * 1024 * 1024
        assert plain.compression is None
        assert plain.keep_raw is False
        assert plain.ssl_context is None
        assert plain.proxy is None
        assert plain.allow_insecure is False

    @pytest.mark.parametrize("field", ["connect_timeout", "ping_interval", "ping_timeout"])
    @pytest.mark.parametrize("value", [0, -1, "10", None, True, float("inf"), float("nan"), [1]])
    def test_wrong_seconds(self, field, value):
        """What is no number of seconds above 0 is refused with field, value and what is allowed."""
        message = refusal(**{field: value})
        assert f"{field}={value!r}" in message
        assert "seconds above 0" in message

    @pytest.mark.parametrize("field", ["connect_timeout", "ping_interval", "ping_timeout"])
    @pytest.mark.parametrize("value", [1, 0.001, 1e9])
    def test_right_seconds(self, field, value):
        """Any finite number of seconds above 0 is taken, int or float."""
        assert getattr(settings(**{field: value}), field) == value

    @pytest.mark.parametrize("field", ["keep_raw", "allow_insecure"])
    @pytest.mark.parametrize("value", [1, 0, None, "yes"])
    def test_wrong_switch(self, field, value):
        """What is neither True nor False is refused, so that a string is not taken for yes."""
        message = refusal(**{field: value})
        assert f"{field}={value!r}" in message
        assert "True or False" in message

    @pytest.mark.parametrize("value", [0, -1, 1.5, "1", True, None])
    def test_wrong_max_frame_bytes(self, value):
        """The limit of a frame is a whole number of bytes, 1 or more."""
        message = refusal(max_frame_bytes=value)
        assert f"max_frame_bytes={value!r}" in message
        assert "whole number of bytes" in message

    @pytest.mark.parametrize("value", [{}, "fast", 5, Reconnect])
    def test_wrong_reconnect(self, value):
        """Anything but a Reconnect is refused as the policy."""
        message = refusal(reconnect=value)
        assert f"reconnect={value!r}" in message
        assert "Reconnect(...)" in message

    @pytest.mark.parametrize("value", [True, object(), "/etc/ssl/ca.pem"])
    def test_wrong_ssl_context(self, value):
        """Anything but an SSLContext is refused."""
        message = refusal(ssl_context=value)
        assert f"ssl_context={value!r}" in message
        assert "ssl.SSLContext" in message

    def test_right_ssl_context(self):
        """A context of the caller's is kept as it is."""
        context = ssl.create_default_context()
        assert settings(ssl_context=context).ssl_context is context

    @pytest.mark.parametrize("value", ["gzip", "", True, 1])
    def test_wrong_compression(self, value):
        """A compression that nobody knows is refused."""
        message = refusal(compression=value)
        assert f"compression={value!r}" in message
        assert "None or 'deflate'" in message

    @pytest.mark.parametrize("value", [None, "deflate"])
    def test_right_compression(self, value):
        """There is none, and permessage-deflate."""
        assert settings(compression=value).compression == value


class TestBaseUrl:
    """The address of the service."""

    @pytest.mark.parametrize(
        "value",
        [
            "wss://api.example",
            "wss://api.example:8443/prefix/",
            "ws://localhost:8765",
            "ws://dev.localhost",
            "ws://127.0.0.1:1",
            "ws://127.8.9.10",
            "ws://[::1]:8765",
            "wss://bücher.example",
            "WSS://api.example",
        ],
    )
    def test_allowed(self, value):
        """wss:// to anywhere and ws:// to this machine are taken as they are."""
        assert settings(base_url=value).base_url == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "api.example",
            "wss://",
            "wss:///path",
            "wss://api.example:99999",
            "wss://api.example:port",
            "wss://[::1",
            "wss://a..b",
            "wss://" + "a" * 64 + ".example",
            "wss://api .example",
            "wss://api.example\n",
            5,
            b"wss://api.example",
        ],
    )
    def test_no_url(self, value):
        """What is no URL with a host and a valid port is refused, with an example of one."""
        message = refusal(base_url=value)
        assert f"base_url={value!r}" in message
        assert "such as wss://api.plexus.company" in message

    @pytest.mark.parametrize("value", ["https://api.example", "ftp://api.example"])
    def test_other_scheme(self, value):
        """Only WebSocket's own schemes are taken."""
        message = refusal(base_url=value)
        assert f"base_url={value!r}" in message
        assert "wss://" in message

    @pytest.mark.parametrize("value", [KEY, f"https://api.example/{KEY}", f"ws://{KEY}.example"])
    def test_a_key_in_its_place(self, value):
        """A key that was put where the URL belongs is not shown."""
        assert KEY not in refusal(base_url=value)

    @pytest.mark.parametrize(
        "value", ["wss://api.example?x=1", "wss://api.example/#here", "wss://api.example/a?b"]
    )
    def test_query_or_fragment(self, value):
        """A query or fragment would be lost or end up in the middle, and is refused."""
        message = refusal(base_url=value)
        assert "no query or fragment" in message
        assert value not in message  # it may hold the key

    def test_from_the_environment(self, monkeypatch):
        """A URL that nobody passed is told by the variable that it comes from."""
        monkeypatch.setenv("PLEXUS_DATA_API_URL", "http://api.example")
        assert refusal().startswith("PLEXUS_DATA_API_URL='http://api.example' is not allowed")

    @pytest.mark.parametrize(
        "value",
        [
            "ws://api.example",
            "ws://10.0.0.1:80",
            "ws://[fe80::1]",
            "WS://api.example",
            "ws://0.0.0.0",
            "ws://[::]",
            "ws://127.1",
            "ws://2130706433",
            "ws://0x7f.0.0.1",
            "ws://localhost.",
            "ws://localhost.example",
            "ws://notlocalhost",
            "ws://127.0.0.1.example",
            "ws://localhost\\.example",
            "ws://localhost%2eexample",
            "ws://\N{FULLWIDTH LATIN SMALL LETTER L}ocalhost",
        ],
    )
    def test_insecure(self, value):
        """ws:// to another machine would show the key, and must be asked for."""
        message = refusal(base_url=value)
        assert f"base_url={value!r}" in message
        assert "allow_insecure=True" in message
        assert settings(base_url=value, allow_insecure=True).base_url == value

    @pytest.mark.parametrize(
        "value",
        [
            f"wss://{KEY}@api.example",
            f"wss://user:{KEY}@api.example",
            f"https://user:{KEY}@api.example",
            f"https://{KEY}@api.example",
            f"ws://user:{KEY}@[broken",
            f"wss://user:{KEY}@api.example:99999",
            f"wss://user:{KEY}@",
            f"ws://localhost:{KEY}@api.example",
            f"ws://localhost%40{KEY}@api.example",
        ],
    )
    def test_user_and_password(self, value):
        """A URL with a user or password is refused without showing it, whatever else is wrong."""
        message = refusal(base_url=value)
        assert "base_url" in message
        assert KEY not in message

    def test_environment(self, monkeypatch):
        """The environment's URL holds where no argument gives one, and spaces around are no URL."""
        monkeypatch.setenv("PLEXUS_DATA_API_URL", " wss://other.example ")
        assert settings().base_url == "wss://other.example"
        assert settings(base_url="wss://mine.example").base_url == "wss://mine.example"
        monkeypatch.setenv("PLEXUS_DATA_API_URL", "  ")
        assert settings().base_url == "wss://api.plexus.company"

    def test_broken_environment(self, monkeypatch):
        """A wrong URL in the environment is refused as one in the argument is."""
        monkeypatch.setenv("PLEXUS_DATA_API_URL", "http://other.example")
        assert "http://other.example" in refusal()


class TestKey:
    """Where the API key comes from."""

    def test_argument(self, monkeypatch, key_file):
        """An argument goes before the environment and the file."""
        monkeypatch.setenv("PLEXUS_API_KEY", "plx_environment")
        key_file.write_text('{"api_key": "plx_file"}')
        keys = KeySource(KEY)
        keys.resolve()
        assert keys.fetch().reveal() == KEY

    def test_callable(self, monkeypatch):
        """A callable is asked before every attempt, and never for anything else."""
        monkeypatch.setenv("PLEXUS_API_KEY", "plx_environment")
        calls = iter(["plx_one", "plx_two", "plx_two"])
        keys = KeySource(lambda: next(calls))
        keys.resolve()
        assert [keys.fetch().reveal() for _ in range(3)] == ["plx_one", "plx_two", "plx_two"]

    def test_callable_that_raises(self):
        """What a callable raises comes through, for the reader to tell."""

        def broken():
            raise LookupError("no vault")

        with pytest.raises(LookupError, match="no vault"):
            KeySource(broken).fetch()

    @pytest.mark.parametrize("value", [None, b"plx_bytes", 5])
    def test_callable_that_returns_no_text(self, value):
        """A callable that returns no str is told, with the type that it returned."""
        with pytest.raises(ConfigError, match=rf"api_key\(\).*{type(value).__name__}.*a str"):
            KeySource(lambda: value).fetch()

    def test_environment(self, monkeypatch, key_file):
        """The environment goes before the file; spaces around the key are not part of it."""
        key_file.write_text('{"api_key": "plx_file"}')
        monkeypatch.setenv("PLEXUS_API_KEY", f" {KEY}\n")
        keys = KeySource(None)
        keys.resolve()
        assert keys.fetch().reveal() == KEY

    def test_environment_is_read_once(self, monkeypatch):
        """What was found at the start stays, even where the environment changes."""
        monkeypatch.setenv("PLEXUS_API_KEY", KEY)
        keys = KeySource(None)
        keys.resolve()
        monkeypatch.setenv("PLEXUS_API_KEY", "plx_other")
        keys.resolve()
        assert keys.fetch().reveal() == KEY

    def test_file(self, monkeypatch, key_file):
        """Last comes the vendor's file; an empty variable counts as none."""
        monkeypatch.setenv("PLEXUS_API_KEY", "")
        key_file.write_text(json.dumps({"api_key": KEY, "other": [1]}), encoding="utf-8")
        keys = KeySource(None)
        keys.resolve()
        assert keys.fetch().reveal() == KEY

    def test_nowhere(self, key_file):
        """Without a key anywhere the three places are named."""
        with pytest.raises(ConfigError) as told:
            KeySource(None).resolve()
        message = str(told.value)
        assert "api_key=" in message
        assert "PLEXUS_API_KEY" in message
        assert str(key_file) in message

    def test_nowhere_and_no_home(self, monkeypatch):
        """A user without a home directory, as in some containers, has no key in a file."""
        import pwd

        def unknown(uid):
            raise KeyError(uid)

        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", unknown)
        with pytest.raises(ConfigError, match="no API key"):
            KeySource(None).resolve()

    def test_nowhere_is_told_at_the_start(self, key_file):
        """A missing key is no matter of the constructor, but of start, run and get."""
        subscription = Subscription(MetricsStream("robot-01"), base_url="ws://127.0.0.1:1")
        for method in (subscription.start, subscription.run, subscription.get):
            with pytest.raises(ConfigError, match="no API key"):
                method()

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"\xff\xfe", b'{"api_key": "plx_unfinished', b"[" * 100_000],
        ids=["empty", "brace", "bytes", "half", "deep"],
    )
    def test_broken_file(self, key_file, content):
        """A file that is no JSON is told by its path; nothing of what stands in it is shown."""
        key_file.write_bytes(content)
        with pytest.raises(ConfigError) as told:
            KeySource(None).resolve()
        assert str(key_file) in str(told.value)
        assert "cannot be read" in str(told.value)
        assert "plx_unfinished" not in "".join(
            traceback.format_exception(type(told.value), told.value, told.value.__traceback__)
        )

    def test_directory_in_place_of_the_file(self, key_file):
        """What the system refuses to read is told as well."""
        key_file.mkdir()
        with pytest.raises(ConfigError, match="cannot be read"):
            KeySource(None).resolve()

    @pytest.mark.parametrize("content", ["[]", "{}", '"api_key"', "null", '{"API_KEY": "x"}'])
    def test_file_without_key(self, key_file, content):
        """A file that has no api_key is told by its path."""
        key_file.write_text(content)
        with pytest.raises(ConfigError) as told:
            KeySource(None).resolve()
        assert f"{key_file} holds no api_key" in str(told.value)

    @pytest.mark.parametrize("content", ['{"api_key": null}', '{"api_key": 5}', '{"api_key": ""}'])
    def test_file_with_wrong_key(self, key_file, content):
        """What stands in the file is checked as an argument is."""
        key_file.write_text(content)
        with pytest.raises(ConfigError) as told:
            KeySource(None).resolve()
        assert f"api_key in {key_file}" in str(told.value)

    @pytest.mark.parametrize("value", [5, b"plx_bytes", ["plx_list"], object()])
    def test_wrong_type(self, value):
        """What is neither text nor callable is refused by its type; its value is not shown."""
        with pytest.raises(ConfigError) as told:
            KeySource(value)
        assert f"api_key is a {type(value).__name__}" in str(told.value)
        assert "plx_" not in str(told.value)

    @pytest.mark.parametrize(
        "value", ["", " ", f" {KEY}", f"{KEY}\n", f"{KEY} x", "plx_\0", "\x7f"]
    )
    def test_no_key(self, value):
        """A key that is empty or holds what no key holds is refused, and not shown."""
        with pytest.raises(ConfigError) as told:
            KeySource(value)
        assert "api_key is empty or holds spaces" in str(told.value)
        assert KEY not in str(told.value)

    @pytest.mark.parametrize("value", ["", f"{KEY} ", f"{KEY}\n"])
    def test_no_key_from_callable(self, value):
        """What a callable returns is checked as an argument is."""
        with pytest.raises(ConfigError, match=r"api_key\(\) returned is empty") as told:
            KeySource(lambda: value).fetch()
        assert KEY not in str(told.value)


class TestSecrecy:
    """The key stays out of sight."""

    def test_reprs(self, monkeypatch):
        """No repr and no str of anything that holds the key shows it."""
        made = settings(base_url="wss://127.0.0.1:1", proxy=f"http://user:{KEY}@proxy.example")
        subscription = Subscription(MetricsStream("robot-01"), api_key=KEY)
        secret = made.keys.fetch()
        for thing in (made, made.keys, secret, subscription, Proxy("http", "h", 1, "u", KEY)):
            assert KEY not in repr(thing)
            assert KEY not in str(thing)
            assert KEY not in f"{thing}"
        assert made.keys.scrub(KEY) == "[api key]"

    def test_traceback_of_a_log(self, caplog):
        """A log record with the traceback of a refused key does not show it."""
        with caplog.at_level(logging.DEBUG):
            try:
                KeySource(f"{KEY} ")
            except ConfigError:
                logging.getLogger("test").exception("refused %r", KeySource(KEY))
        assert "refused KeySource(...)" in caplog.text
        assert KEY not in caplog.text.replace('KeySource(f"{KEY} ")', "")

    @pytest.mark.parametrize("how", [pickle.dumps, copy.copy, copy.deepcopy])
    @pytest.mark.parametrize(
        "holder",
        [Secret(KEY), KeySource(KEY), Proxy("http", "h", 1, "u", KEY), settings()],
        ids=lambda holder: type(holder).__name__,
    )
    def test_no_pickle(self, how, holder):
        """A secret is neither pickled nor copied, nor is what holds one."""
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            how(holder)

    def test_no_way_to_print(self):
        """Whoever takes the settings apart and prints what he finds does not find the key."""
        made = settings(base_url="wss://h", proxy=f"http://user:{KEY}@proxy.example")
        proxy = made.proxy_for("h", 443, True)
        for holder in (made, proxy):
            shown = [repr(attrs.asdict(holder)), repr(attrs.astuple(holder))]
            shown += [str(holder), f"{holder!r}", pprint.pformat(attrs.asdict(holder))]
            shown += [json.dumps(attrs.asdict(holder), default=how) for how in (str, repr)]
            assert KEY not in "".join(shown)
        assert KEY not in repr(vars(made.keys))
        with pytest.raises(TypeError):
            vars(made.keys.fetch())

    def test_a_wrong_proxy_is_not_shown_in_variables(self):
        """A traceback with variables of a refused proxy does not show its password."""
        for url in (f"ftp://u:{KEY}@h", f"http://u:{KEY}@h:0", f"http://u:{KEY}@[", f"{KEY} x"):
            with pytest.raises(ConfigError) as told:
                Subscription(MetricsStream("robot-01"), api_key="plx_test", proxy=url)
            chain = [told.value, told.value.__context__]
            assert KEY not in "".join(shown_of(error) for error in chain if error is not None)

    def test_scrub(self):
        """Every key that was handed out is taken out of a text, wherever it stands."""
        calls = iter(["plx_one", "plx_two"])
        keys = KeySource(lambda: next(calls))
        assert keys.scrub("plx_one") == "plx_one"  # nobody knows it yet
        keys.fetch()
        keys.fetch()
        assert keys.scrub("a plx_one b plx_two plx_one") == "a [api key] b [api key] [api key]"

    def test_scrub_of_a_key_that_was_cut(self):
        """Nor is a half of it shown, be it the sender or we who cut the text in its middle."""
        keys = KeySource(KEY)
        for length in range(5, len(KEY)):
            assert keys.scrub(f"bad key {KEY[:length]}") == "bad key [api key]"
        assert keys.scrub("a key is plx_") == "a key is plx_"
        for length in range(10_000, 10_000 - len(KEY), -1):
            assert "plx_0" not in keys.scrub("x" * length + KEY)

    def test_a_frame_that_is_full_of_keys(self):
        """Its excerpt is cut after all of them were taken out, the last one too."""
        key = "plx_" + "k" * 96
        error = frame_error(
            (key * 7 + "x" * 60 + key).encode(), "no JSON", None, KeySource(key).scrub
        )
        assert b"kkkk" not in error.excerpt
        assert "kkkk" not in str(error)

    def test_scrub_remembers_the_last_ones(self):
        """Keys that change all day do not fill the memory: the last ones are known."""
        count = MAX_SEEN + 2
        calls = iter(f"plx_{number:04}" for number in range(count))
        keys = KeySource(lambda: next(calls))
        for _ in range(count):
            keys.fetch()
        text = " ".join(f"plx_{number:04}" for number in range(count))
        assert keys.scrub(text) == " ".join(["plx_0000", "plx_0001"] + ["[api key]"] * MAX_SEEN)


class TestProxy:
    """Where to go through, and where not."""

    def test_none(self, monkeypatch):
        """Without the argument the environment's proxies do not matter."""
        monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
        assert settings().proxy_for("api.example", 443, True) is None

    @pytest.mark.parametrize(
        ("url", "proxy"),
        [
            ("http://proxy.example", Proxy("http", "proxy.example", 8080)),
            ("http://proxy.example:3128/", Proxy("http", "proxy.example", 3128)),
            ("HTTP://proxy.example", Proxy("http", "proxy.example", 8080)),
            ("socks4://10.0.0.1", Proxy("socks4", "10.0.0.1", 1080)),
            ("socks4a://h:1", Proxy("socks4a", "h", 1)),
            ("socks5://h", Proxy("socks5", "h", 1080)),
            ("socks5h://[::1]:9", Proxy("socks5h", "::1", 9)),
            ("http://us%40er:p%3Aw@h", Proxy("http", "h", 8080, "us@er", "p:w")),
            ("http://user@h", Proxy("http", "h", 8080, "user", None)),
        ],
    )
    def test_url(self, url, proxy):
        """A URL is taken apart; user and password are decoded; each scheme has its own port."""
        assert settings(proxy=url).proxy_for("api.example", 443, True) == proxy

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "proxy.example:8080",
            "https://user:secret@proxy.example",
            "ftp://user:secret@proxy.example",
            "http://",
            "http://user:secret@",
            "http://user:secret@proxy.example:99999",
            "http://user:secret@proxy .example",
            "http://user:secret@[::1",
            5,
            True,
            ["http://user:secret@proxy.example"],
            lambda: "http://user:secret@proxy.example",
        ],
    )
    def test_refused(self, value):
        """What is no URL of a proxy is refused at once; a password is never shown."""
        message = refusal(proxy=value)
        assert "proxy" in message
        assert "must be" in message
        assert "secret" not in message

    @pytest.mark.parametrize(
        ("variables", "secure", "host"),
        [
            ({"https_proxy": "http://one.example"}, True, "one.example"),
            ({"https_proxy": "http://one.example"}, False, None),
            ({"http_proxy": "http://two.example"}, False, "two.example"),
            ({"http_proxy": "http://two.example"}, True, None),
            ({"all_proxy": "socks5://three.example"}, True, "three.example"),
            ({"all_proxy": "socks5://three.example"}, False, "three.example"),
            (
                {"all_proxy": "http://a.example", "https_proxy": "http://b.example"},
                True,
                "b.example",
            ),
            ({"HTTPS_PROXY": "one.example:3128"}, True, "one.example"),
            ({}, True, None),
        ],
    )
    def test_environment(self, monkeypatch, variables, secure, host):
        """With "env" the variables hold that everybody knows: https for wss, http for ws, all."""
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        made = settings(proxy="env", allow_insecure=True)
        proxy = made.proxy_for("api.example", 443, secure)
        assert (proxy and proxy.host) == host

    @pytest.mark.parametrize(
        ("exceptions", "direct"),
        [
            ("api.example", True),
            ("other.example, api.example", True),
            (".example", True),
            ("api.example:443", True),
            ("api.example:444", False),
            ("*", True),
            ("other.example", False),
        ],
    )
    @pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
    def test_exceptions(self, monkeypatch, name, exceptions, direct):
        """NO_PROXY names hosts to which no proxy leads, by name, ending, port or all of them."""
        monkeypatch.setenv("https_proxy", "http://proxy.example")
        monkeypatch.setenv(name, exceptions)
        found = settings(proxy="env").proxy_for("api.example", 443, True)
        assert (found is None) is direct

    def test_exceptions_are_for_the_environment(self, monkeypatch):
        """A proxy that the caller names is used for every host."""
        monkeypatch.setenv("no_proxy", "*")
        found = settings(proxy="http://mine.example").proxy_for("api.example", 443, True)
        assert found == Proxy("http", "mine.example", 8080)

    def test_environment_is_read_for_each_attempt(self, monkeypatch):
        """A proxy that comes into the environment later is used from then on."""
        made = settings(proxy="env")
        assert made.proxy_for("api.example", 443, True) is None
        monkeypatch.setenv("https_proxy", "http://late.example")
        assert made.proxy_for("api.example", 443, True) == Proxy("http", "late.example", 8080)

    def test_broken_environment(self, monkeypatch):
        """A proxy of the environment that nobody can use is told by the constructor already."""
        monkeypatch.setenv("https_proxy", "ftp://user:secret@proxy.example")
        message = refusal(proxy="env")
        assert "ftp" in message
        assert "secret" not in message


def test_a_coroutine_function_gives_no_key():
    """It would return a coroutine at every attempt, so it is refused at once."""

    async def key():
        """Never called."""

    with pytest.raises(ConfigError, match="coroutine function"):
        KeySource(key)


def test_a_context_for_servers_is_refused():
    """It could never connect anywhere."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(ConfigError, match="for servers"):
        Settings(keys=KeySource("plx_test"), ssl_context=context)


@pytest.mark.parametrize("url", ["wss://h/?", "wss://h/#", "wss://h:0"])
def test_a_base_url_with_an_empty_query_is_refused(url):
    """Paths are put behind it, which would end up in the query or the fragment."""
    with pytest.raises(ConfigError, match="base_url"):
        Settings(keys=KeySource("plx_test"), base_url=url)
