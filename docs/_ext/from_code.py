"""Directives that make a part of a page out of a table in the code, so that they cannot differ."""

from itertools import groupby

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from state_diagram import draw

from plexus_sync.endings import TABLE
from plexus_sync.loss import TLS
from plexus_sync.state import TRANSITIONS


class StateDiagram(Directive):
    """``.. state-diagram::`` draws plexus_sync/state.py, TRANSITIONS."""

    def run(self):
        """Return the drawing; builders of anything but HTML leave it out."""
        return [nodes.raw("", draw(TRANSITIONS), format="html")]


class Endings(Directive):
    """``.. endings::`` makes a table of plexus_sync/endings.py, TABLE."""

    def run(self):
        """Return the table."""
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 16 22 31 31", ""]
        rows = [("Code", "Error", "Meaning", "What we do"), *_rows()]
        for row in rows:
            for position, cell in enumerate(row):
                lines.append(f"   {'*' if position == 0 else ' '} - {cell}")
        node = nodes.Element()
        self.state.nested_parse(StringList(lines, "TABLE of endings.py"), 0, node)
        return node.children


def _rows():
    """Yield a row for each neighbouring codes that mean the same."""
    for (action, error, meaning), codes in groupby(
        TABLE.items(), lambda item: (item[1].action, item[1].error, item[1].meaning)
    ):
        shown = ", ".join(
            "certificate" if code == TLS else f"HTTP {code}, 5xx" if code == 429 else str(code)
            for code, _ in codes
        )
        yield shown, f":class:`~plexus_sync.{error.__name__}`", meaning, action.value


def setup(app):
    """Tell Sphinx."""
    app.add_directive("state-diagram", StateDiagram)
    app.add_directive("endings", Endings)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
