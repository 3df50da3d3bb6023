"""Completion for shells."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import shtab

from plexus_sync.cli.completion import SHELLS


@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shell in shtab.SUPPORTED_SHELLS])
def test_a_script_for_each_shell(run, shell):
    """It knows the commands and their options."""
    result = run("--print-completion", shell)
    assert (result.code, result.err) == (0, "")
    for word in ("plexus-sync", "snapshot", "key-file"):
        assert word in result.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_reads_the_script(run):
    """It is valid."""
    script = run("--print-completion", "bash").out
    subprocess.run(["bash", "-n"], input=script.encode(), check=True)


def test_without_shtab(run, without):
    """One sentence says what to install."""
    without("shtab")
    run("--print-completion", "bash").said(1, "pip install 'plexus-sync[cli]'")


def test_a_shell_that_this_shtab_does_not_know(run, monkeypatch):
    """Newer ones know more."""
    monkeypatch.setattr(shtab, "SUPPORTED_SHELLS", ["bash"])
    run("--print-completion", "zsh").said(1, "knows no zsh", "bash")


def test_a_shell_that_nobody_knows(run):
    """It is a mistake in usage."""
    run("--print-completion", "cmd").said(2, "'bash'", "--help")
