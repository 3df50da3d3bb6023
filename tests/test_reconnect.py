"""How the caller may want to come back."""

from __future__ import annotations

import pytest

from plexus_sync import ConfigError, Reconnect
from plexus_sync.endings import Action


class TestPolicy:
    """The arguments of Reconnect."""

    def test_defaults(self):
        """Without arguments the documented defaults hold."""
        assert Reconnect() == Reconnect(0.5, 30.0, None, None, 10.0, {})

    @pytest.mark.parametrize("field", ["initial", "maximum", "stable_after"])
    @pytest.mark.parametrize("value", [0, -1, "1", None, True, float("inf"), float("nan")])
    def test_wrong_seconds(self, field, value):
        """What is no number of seconds above 0 is refused with field and value."""
        with pytest.raises(ConfigError) as told:
            Reconnect(**{field: value})
        assert f"Reconnect: {field}={value!r}" in str(told.value)
        assert "seconds above 0" in str(told.value)

    @pytest.mark.parametrize("value", [0, -1, 1.0, "3", True])
    def test_wrong_max_attempts(self, value):
        """The number of attempts is whole, 1 or more."""
        with pytest.raises(ConfigError) as told:
            Reconnect(max_attempts=value)
        assert f"max_attempts={value!r}" in str(told.value)
        assert "1 or more, or None" in str(told.value)

    @pytest.mark.parametrize("value", [0, -1, "3", True, float("inf")])
    def test_wrong_max_elapsed(self, value):
        """The seconds of failing are above 0."""
        with pytest.raises(ConfigError) as told:
            Reconnect(max_elapsed=value)
        assert f"max_elapsed={value!r}" in str(told.value)
        assert "seconds above 0, or None" in str(told.value)

    def test_maximum_below_initial(self):
        """A longest wait that is shorter than the first one makes no sense."""
        with pytest.raises(ConfigError, match=r"maximum=0\.1 .*below initial=0\.5"):
            Reconnect(maximum=0.1)
        assert Reconnect(initial=2, maximum=2).maximum == 2


class TestOnCode:
    """The words on codes."""

    @pytest.mark.parametrize("code", [1015, 99, 0, -1, 5000, True, "1006", 1006.0, None], ids=repr)
    def test_refused_code(self, code):
        """Certificates cannot be overridden, and what is no code cannot either."""
        with pytest.raises(ConfigError) as told:
            Reconnect(on_code={code: "retry"})
        assert f"on_code={{{code!r}: 'retry'}}" in str(told.value)
        assert "other than 1015" in str(told.value)

    @pytest.mark.parametrize("action", ["again", "RETRY", "", None, 1, Action.RETRY, ["retry"]])
    def test_refused_action(self, action):
        """Only the four words are known."""
        with pytest.raises(ConfigError) as told:
            Reconnect(on_code={1006: action})
        assert f"on_code={{1006: {action!r}}}" in str(told.value)
        assert "retry, now, end, fail" in str(told.value)

    @pytest.mark.parametrize("value", [None, [(1006, "retry")], "retry", 1006])
    def test_refused_type(self, value):
        """What is no mapping is refused."""
        with pytest.raises(ConfigError, match=r"on_code=.*must be a dict"):
            Reconnect(on_code=value)

    def test_copied(self):
        """What the caller does to his dict afterwards changes nothing."""
        mine = {1006: "fail"}
        policy = Reconnect(on_code=mine)
        mine[1006] = "retry"
        assert policy.on_code == {1006: "fail"}
