"""Draws a table of states as SVG: where each state stands is said here, every arrow is computed.

Pure: text out of a table. What all states between the first one and the last ones have in common
is drawn once, from the frame around them.
"""

from html import escape

WIDTH, HEIGHT = 128, 34  # of a state
GRID_X, GRID_Y = 216, 100  # from one state's centre to the next
MARGIN = 12
LANE = 9  # by so much the way there and the way back keep to their own side
PADDING = 14  # between the states and the frame around them

# Column and row of each state.
PLACES = {
    "IDLE": (0, 0),
    "CONNECTING": (1, 0),
    "AUTHENTICATING": (2, 0),
    "OPEN": (3, 0),
    "WAITING": (2, 1),
    "ENDED": (1, 2.15),
    "FAILED": (3, 2.15),
}
INITIAL = "IDLE"


def draw(transitions):
    """Return the SVG of ``{(state, event): next_state}``, where all have a ``name``."""
    table = {(s.name, e.name): t.name for (s, e), t in transitions.items()}
    states = dict.fromkeys(name for (s, _), t in table.items() for name in (s, t))
    unknown = sorted(set(states) - set(PLACES))
    if unknown:
        raise ValueError(f"docs/_ext/state_diagram.py: PLACES has none for {', '.join(unknown)}")
    last = set(states) - {state for state, _ in table}
    inner = set(states) - last - {INITIAL}
    common = _common(table, inner)
    parts = [_frame(inner)]
    for (source, event), target in table.items():
        if not (source in inner and (event, target) in common):
            crosses = (source in inner) != (target in inner)
            parts.append(_arrow(PLACES[source], PLACES[target], event, crosses))
    for event, target in sorted(common):
        parts.append(_arrow_from_frame(inner, PLACES[target], event))
    parts += [_state(name, name in last) for name in states]
    return _svg(parts, table)


def _common(table, inner):
    """Return what every inner state has: the pairs of an event and where it leads."""
    pairs = {(event, target) for (_, event), target in table.items()}
    return {
        (event, target)
        for event, target in pairs
        if all(table.get((state, event)) == target for state in inner)
    }


def _centre(place):
    column, row = place
    return (
        MARGIN + WIDTH / 2 + column * GRID_X,
        MARGIN * 2 + HEIGHT / 2 + row * GRID_Y,
    )


def _state(name, is_last):
    x, y = _centre(PLACES[name])
    box = f'x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="8"'
    kind = ' class="last"' if is_last else ""
    return f'<rect {box}{kind}/><text class="state" x="{x:g}" y="{y + 4.5:g}">{escape(name)}</text>'


def _edges(inner):
    """Return left, top, right and bottom of the frame around the inner states."""
    xs, ys = zip(*(_centre(PLACES[state]) for state in inner))
    return (
        min(xs) - WIDTH / 2 - PADDING,
        min(ys) - HEIGHT / 2 - MARGIN,
        max(xs) + WIDTH / 2 + PADDING,
        max(ys) + HEIGHT / 2 + 20,
    )


def _frame(inner):
    left, top, right, bottom = _edges(inner)
    size = f'width="{right - left:g}" height="{bottom - top:g}"'
    return f'<rect class="frame" x="{left:g}" y="{top:g}" {size} rx="12"/>'


def _path(points):
    """Return a line through the points, with an arrow at its end."""
    steps = " L".join(f"{x:g} {y:g}" for x, y in points)
    return f'<path d="M{steps}" marker-end="url(#arrow)"/>'


def _label(x, y, event):
    return f'<text class="event" x="{x:g}" y="{y:g}">{escape(event.lower())}</text>'


def _arrow_from_frame(inner, place, event):
    x, y = _centre(place)
    bottom = _edges(inner)[3]
    return _path([(x, bottom), (x, y - HEIGHT / 2 - 2)]) + _label(
        x + 18, (bottom + y - HEIGHT / 2) / 2 + 4, event
    )


def _arrow(start, end, event, crosses):
    (x1, y1), (x2, y2) = _centre(start), _centre(end)
    right = 1 if x2 > x1 else -1
    down = 1 if y2 > y1 else -1
    if y1 == y2:
        ends = x1 + right * WIDTH / 2, x2 - right * (WIDTH / 2 + 2)
        middle = sum(ends) / 2 - right * crosses * PADDING / 2  # clear of the frame's edge
        return _path([(ends[0], y1), (ends[1], y2)]) + _label(middle, y1 - 7, event)
    if x1 == x2:
        ends = y1 + down * HEIGHT / 2, y2 - down * (HEIGHT / 2 + 2)
        return _path([(x1, ends[0]), (x2, ends[1])]) + _label(x1 + 20, sum(ends) / 2 + 4, event)
    # Round a corner: down and then across, or across and then up, each way on its own side.
    if down > 0:
        x, y, stop = x1 + LANE * right, y2 - LANE, x2 - right * (WIDTH / 2 + 2)
        points = [(x, y1 + HEIGHT / 2), (x, y), (stop, y)]
        return _path(points) + _label((x + stop) / 2, y - 6, event)
    x, y, start_x = x2 + LANE * right, y1 + LANE, x1 + right * WIDTH / 2
    points = [(start_x, y), (x, y), (x, y2 + HEIGHT / 2 + 2)]
    return _path(points) + _label((x + start_x) / 2, y + 16, event)


def _svg(parts, table):
    columns, rows = zip(*PLACES.values())
    width, height = _centre((max(columns), max(rows)))
    width, height = width + WIDTH / 2 + PADDING + MARGIN, height + HEIGHT / 2 + MARGIN
    told = "; ".join(f"{s}, {event.lower()}: {t}" for (s, event), t in table.items())
    return (
        f'<svg class="state-diagram" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {width:g} {height:g}" width="{width:g}">'
        f"<title>The states of one stream</title><desc>{escape(told)}</desc>"
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto-start-reverse"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>'
        + "".join(parts)
        + "</svg>"
    )
