"""What the caller decides for all streams, checked at once; and the API key, kept out of sight."""

from __future__ import annotations

import inspect
import ipaddress
import json
import os
import ssl
from collections import deque
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Deque, Optional, Union
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from .errors import ConfigError
from .reconnect import Reconnect
from .streams import is_count, is_duration

__all__ = ["ApiKey", "KeySource", "Proxy", "Secret", "Settings", "is_loopback"]

DEFAULT_BASE_URL = "wss://api.plexus.company"
KEY_VARIABLE = "PLEXUS_API_KEY"  # this, then the file: the order of the vendor's own SDK
URL_VARIABLE = "PLEXUS_DATA_API_URL"
MAX_SEEN = 1000  # keys; a fleet of so many streams may have a fresh one for each
MAX_SHOWN = 10_000  # characters that are looked through for keys; a peer may send megabytes
KEY_FILE = Path("~") / ".plexus" / "config.json"

ApiKey = Union[str, Callable[[], str], None]


class Secret:
    """A text that no repr, log or pickle shows."""

    __slots__ = ("_text",)

    def __init__(self, text: Any) -> None:
        self._text = text

    def reveal(self) -> Any:
        """Return the text; keep it out of variables, which tracebacks may show."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> Any:
        raise TypeError("a secret cannot be pickled or copied, nor can what holds one")


def hide(value: Any) -> Any:
    """Wrap what may be secret, or wrong, for the frames that a traceback with locals will show."""
    if value is None or callable(value) or isinstance(value, Secret):
        return value
    return Secret(value)


def _without_begun(secret: Secret, text: str) -> str:
    """Return the text without a first part of the key at its end, where it was cut, here or there.

    A part of five letters or more: a key begins with plx_, which is no secret.
    """
    for length in range(min(len(secret.reveal()) - 1, len(text)), 4, -1):
        if text.endswith(secret.reveal()[:length]):
            return f"{text[:-length]}[api key]"
    return text


class KeySource:
    """The API key, from an argument, a callable, the environment or the vendor's file."""

    __reduce__ = Secret.__reduce__

    def __init__(self, api_key: Union[ApiKey, Secret]) -> None:
        api_key = hide(api_key)
        self._callable = api_key if callable(api_key) else None
        self._fixed: Optional[Secret] = None
        # The keys that were handed out, for scrub(). Each operation on it is atomic: the readers of
        # all streams fetch their keys here.
        self._seen: Deque[Secret] = deque(maxlen=MAX_SEEN)
        if isinstance(api_key, Secret):
            self._fixed = self._checked(api_key, "api_key", "a str, or a callable that returns one")
        elif inspect.iscoroutinefunction(api_key):
            raise ConfigError(
                "api_key is a coroutine function: it must be a str, or a plain callable that "
                "returns one"
            )

    def resolve(self) -> None:
        """Find the key that no argument gave; ConfigError where there is none."""
        if self._callable is not None or self._fixed is not None:
            return
        variable = Secret(os.environ.get(KEY_VARIABLE, "").strip())
        if variable.reveal():
            self._fixed = self._checked(variable, KEY_VARIABLE)
            return
        # Not by Path.expanduser, which raises where there is no home.
        self._fixed = self._from_file(Path(os.path.expanduser(KEY_FILE)))

    def fetch(self) -> Secret:
        """Return the key for one attempt; whatever the caller's callable raises comes through."""
        if self._callable is not None:
            return self._checked(Secret(self._callable()), "the key that api_key() returned")
        assert self._fixed is not None, "resolve() comes first"
        return self._fixed

    def scrub(self, text: str) -> str:
        """Return the text, cut to what people read, without the keys that were handed out."""
        text = text[:MAX_SHOWN]
        for secret in tuple(self._seen):
            text = text.replace(secret.reveal(), "[api key]")
        for secret in tuple(self._seen):
            text = _without_begun(secret, text)
        return text

    def _checked(self, key: Secret, name: str, allowed: str = "a str") -> Secret:
        """Return the key, as the one object that every attempt with it shares."""
        # Neither the value nor its length is told: this message may end up anywhere.
        if not isinstance(key.reveal(), str):
            kind = type(key.reveal()).__name__
            raise ConfigError(f"{name} is a {kind}: it must be {allowed}")
        if not key.reveal() or not key.reveal().isprintable() or " " in key.reveal():
            raise ConfigError(
                f"{name} is empty or holds spaces or control characters: it must be the key "
                "alone, such as plx_..."
            )
        for known in tuple(self._seen):
            if known.reveal() == key.reveal():
                return known
        self._seen.append(key)
        return key

    def _from_file(self, path: Path) -> Secret:
        try:
            found = Secret(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ConfigError(
                f"no API key: pass api_key=, set {KEY_VARIABLE}, or put api_key into {path}"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            # The text of a JSON error may show what stands in the file.
            raise ConfigError(
                f"the API key cannot be read from {path} ({type(error).__name__}): mend the file, "
                f"pass api_key= or set {KEY_VARIABLE}"
            ) from None
        if not isinstance(found.reveal(), dict) or "api_key" not in found.reveal():
            raise ConfigError(
                f"{path} holds no api_key: add it, pass api_key= or set {KEY_VARIABLE}"
            )
        return self._checked(Secret(found.reveal()["api_key"]), f"api_key in {path}")

    def __repr__(self) -> str:
        return "KeySource(...)"


def _revealed(secret: Any) -> Any:
    return secret.reveal() if isinstance(secret, Secret) else secret


@attrs.frozen
class Proxy:
    """A proxy to go through; ``scheme`` is http, socks4, socks4a, socks5 or socks5h."""

    scheme: str
    host: str
    port: int
    username: Optional[str] = None
    password: Optional[Secret] = attrs.field(default=None, converter=hide, eq=_revealed)

    __reduce__ = Secret.__reduce__


_PROXY_PORTS = {"http": 8080, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


def _split(field: str, value: Any, shown: object) -> SplitResult:
    """Split a URL that has a host and a valid port; ``shown`` is what an error may show."""
    refusal = f"{field}={shown!r} is not allowed: it must be a URL such as "
    example = DEFAULT_BASE_URL if field == "base_url" else "http://proxy.example:8080"
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        raise ConfigError(refusal + example)
    try:
        parts = urlsplit(value)
        _ = parts.port  # a property that checks
        (parts.hostname or "").encode("idna")
    except ValueError:  # UnicodeError is one
        raise ConfigError(refusal + example) from None
    if not parts.hostname or parts.port == 0:
        raise ConfigError(refusal + example)
    return parts


def _parse_proxy(url: Secret) -> Proxy:
    # A proxy's URL may hold a password: no message shows it, and no variable of a traceback.
    try:
        return _to_proxy(url.reveal())
    except ConfigError as error:
        told = str(error)
    raise ConfigError(told)


def _to_proxy(value: str) -> Proxy:
    parts = _split("proxy", value, "...")
    if parts.scheme not in _PROXY_PORTS:
        raise ConfigError(
            f"proxy has the scheme {parts.scheme!r}: it must be one of {', '.join(_PROXY_PORTS)}"
        )
    return Proxy(
        parts.scheme,
        str(parts.hostname),
        parts.port or _PROXY_PORTS[parts.scheme],
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
    )


def is_loopback(host: str) -> bool:
    """Return whether a host, by its name or address, is this machine."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_base_url(value: Any, allow_insecure: bool) -> None:
    # Not shown where it may hold a password, or a key that was put into the wrong place.
    shown = "..." if isinstance(value, str) and ("@" in value or "plx_" in value) else value
    parts = _split("base_url", value, shown)
    if parts.username is not None or parts.password is not None:
        raise ConfigError("base_url must not hold a user or password: the key goes into api_key")
    if parts.scheme not in ("ws", "wss"):
        raise ConfigError(
            f"base_url={shown!r} is not allowed: it must begin with wss:// (or ws://)"
        )
    if "?" in value or "#" in value:
        # Not shown: somebody may have put the key there.
        raise ConfigError("base_url must have no query or fragment: the key goes into api_key")
    if parts.scheme == "ws" and not allow_insecure and not is_loopback(str(parts.hostname)):
        raise ConfigError(
            f"base_url={shown!r} is not allowed: ws:// would send the API key in clear text; "
            "use wss://, or allow_insecure=True"
        )


def _check_bool(instance: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{attribute.name}={value!r} is not allowed: it must be True or False")


def _check_seconds(instance: Any, attribute: Any, value: Any) -> None:
    if not is_duration(value):
        raise ConfigError(f"{attribute.name}={value!r} is not allowed: it must be seconds above 0")


def _default_base_url(value: Optional[str]) -> str:
    if value is None:
        return os.environ.get(URL_VARIABLE, "").strip() or DEFAULT_BASE_URL
    return value


@attrs.frozen(eq=False, kw_only=True)
class Settings:
    """Everything that holds for all streams of one subscription."""

    keys: KeySource = attrs.field(repr=False)
    allow_insecure: bool = attrs.field(default=False, validator=_check_bool)
    base_url: str = attrs.field(default=None, converter=_default_base_url)
    reconnect: Reconnect = attrs.field(factory=Reconnect)
    connect_timeout: float = attrs.field(default=10.0, validator=_check_seconds)
    ping_interval: float = attrs.field(default=20.0, validator=_check_seconds)
    ping_timeout: float = attrs.field(default=20.0, validator=_check_seconds)
    max_frame_bytes: int = attrs.field(default=16 * 1024 * 1024)
    compression: Optional[str] = attrs.field(default=None)
    keep_raw: bool = attrs.field(default=False, validator=_check_bool)
    ssl_context: Optional[ssl.SSLContext] = attrs.field(default=None)
    proxy: Optional[Secret] = attrs.field(default=None, converter=hide, repr=False)

    __reduce__ = Secret.__reduce__

    def __attrs_post_init__(self) -> None:
        try:
            _check_base_url(self.base_url, self.allow_insecure)
        except ConfigError as error:
            if not self.base_url or self.base_url != os.environ.get(URL_VARIABLE, "").strip():
                raise
            raise ConfigError(str(error).replace("base_url", URL_VARIABLE, 1)) from None
        if not isinstance(self.reconnect, Reconnect):
            raise ConfigError(
                f"reconnect={self.reconnect!r} is not allowed: it must be a Reconnect(...)"
            )
        if not is_count(self.max_frame_bytes):
            raise ConfigError(
                f"max_frame_bytes={self.max_frame_bytes!r} is not allowed: it must be a whole "
                "number of bytes, 1 or more"
            )
        if self.compression not in (None, "deflate"):
            raise ConfigError(
                f"compression={self.compression!r} is not allowed: it must be None or 'deflate'"
            )
        if self.ssl_context is not None and not isinstance(self.ssl_context, ssl.SSLContext):
            raise ConfigError(
                f"ssl_context={self.ssl_context!r} is not allowed: it must be an ssl.SSLContext"
            )
        if self.ssl_context is not None and (self.ssl_context.protocol == ssl.PROTOCOL_TLS_SERVER):
            raise ConfigError("ssl_context is one for servers: use ssl.create_default_context()")
        if self.proxy is not None and not isinstance(self.proxy, Secret):
            raise ConfigError("proxy is a callable: it must be a URL, 'env' or None")
        parts = urlsplit(self.base_url)
        # A wrong proxy is told at once, that of the environment too.
        proxy = self.proxy_for(str(parts.hostname), parts.port or 443, parts.scheme == "wss")
        if proxy is not None and parts.scheme == "ws" and self._is_too_far(proxy):
            raise ConfigError(
                "ws:// through a proxy would send the API key in clear text, and to another "
                "machine: use wss://, or allow_insecure=True"
            )
        if proxy is not None and proxy.scheme != "http" and not find_spec("python_socks"):
            raise ConfigError("a SOCKS proxy needs an extra: pip install 'plexus-sync[socks]'")

    def proxy_for(self, host: str, port: int, secure: bool) -> Optional[Proxy]:
        """Return the proxy for a host, None to go there directly."""
        if self.proxy is None:
            return None
        if self.proxy.reveal() != "env":
            return _parse_proxy(self.proxy)
        # Here, for few go through a proxy of the environment, and it brings half the web along.
        from urllib.request import (  # type: ignore[attr-defined]
            getproxies_environment,
            proxy_bypass_environment,
        )

        found = {scheme: Secret(url) for scheme, url in getproxies_environment().items()}
        # The exceptions are a list of names and no secret; looking them up takes a plain dict.
        exceptions = {"no": found["no"].reveal()} if "no" in found else {}
        url = found.get("https" if secure else "http") or found.get("all")
        if url is None or proxy_bypass_environment(f"{host}:{port}", exceptions):
            return None
        proxy = _parse_proxy(url if "://" in url.reveal() else Secret(f"http://{url.reveal()}"))
        return None if not secure and self._is_too_far(proxy) else proxy

    def _is_too_far(self, proxy: Proxy) -> bool:
        """Return whether ws:// would leave this machine by it, though the host is this machine."""
        return not self.allow_insecure and not is_loopback(proxy.host)
