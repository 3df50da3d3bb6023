"""What was found, as text: a summary for whoever waits, a page for the documentation."""

from __future__ import annotations

from collections import Counter
from typing import Dict, List, Sequence, Tuple

GROUPS = {
    1: "Framing",
    2: "Pings and pongs",
    3: "Reserved bits",
    4: "Opcodes",
    5: "Fragmentation",
    6: "UTF-8",
    7: "Closing",
    9: "Large messages, many messages",
    10: "Automatic fragmentation",
    12: "Compression, different payloads",
    13: "Compression, different parameters",
}

Results = Dict[str, Dict[str, str]]  # client -> case -> behaviour

HEAD = """\
Conformance
===========

.. This page is made by ``make conformance``.

The `Autobahn WebSocket test suite <https://github.com/crossbario/autobahn-testsuite>`_ ({suite})
drives the connection that the library reads from as an echo client, over all of its groups:
{verdict}.

The cases in the table are the suite's. *Non-strict* means correct in the end, but not in the way
that the suite holds for right, such as reading on after the first wrong byte of a text.
*Informational* cases are those to which RFC 6455 gives no answer; the suite only records them.
"""
PEERS = """
The peers were driven in the same run, without the groups that take longest (9, 12 and 13), and
websocket-client knows no compression. The non-strict cases of a peer may differ by a few between
runs.
"""


def group_of(case: str) -> int:
    """Return the number of the group that a case is in."""
    return int(case.split(".")[0])


def counts(behaviours: Dict[str, str]) -> str:
    """Return how often each behaviour was seen, the good one first."""
    seen = Counter(behaviours.values())
    order = sorted(seen, key=lambda behaviour: (behaviour != "OK", behaviour))
    return ", ".join(
        f"{seen[behaviour]} {behaviour if behaviour == 'OK' else behaviour.lower()}"
        for behaviour in order
    )


def _in_group(behaviours: Dict[str, str], group: int) -> str:
    return counts({case: b for case, b in behaviours.items() if group_of(case) == group}) or "-"


def grid(rows: Sequence[Tuple[str, ...]]) -> List[str]:
    """Return a simple table; the first row is its head."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows]
    return [line.rstrip() for line in (rule, lines[0], rule, *lines[1:], rule)]


def table(results: Results, versions: Dict[str, str]) -> List[str]:
    """Return a row for each group, a column for each client."""
    rows = [("Group", *(f"{name} {versions[name]}" for name in results))]
    for group, title in GROUPS.items():
        cells = [_in_group(behaviours, group) for behaviours in results.values()]
        rows.append((f"{group}. {title}", *cells))
    rows.append(("All", *(counts(behaviours) for behaviours in results.values())))
    return grid(rows)


def exceptions(results: Results) -> List[str]:
    """Return a line for each client and behaviour that is not plainly good."""
    lines = []
    for client, behaviours in results.items():
        for behaviour in sorted(set(behaviours.values()) - {"OK"}):
            cases = [case for case, seen in behaviours.items() if seen == behaviour]
            cases.sort(key=lambda case: [int(part) for part in case.split(".")])
            lines.append(f"* {client}, {behaviour.lower()}: {', '.join(cases)}")
    return lines


def page(results: Results, versions: Dict[str, str], suite: str) -> str:
    """Return the page of the documentation."""
    first = next(iter(results.values()))
    lines = [HEAD.format(suite=suite, verdict=f"{len(first)} cases, {counts(first)}")]
    lines += [*table(results, versions), PEERS, "All cases that are not plainly OK:", ""]
    lines += exceptions(results)
    return "\n".join(lines) + "\n"
