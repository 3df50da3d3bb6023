"""Resolves the references that autodoc makes of annotations, without asking the network.

An annotation names a class by the module that defines it; the documents name it as it is imported,
from ``plexus_sync``. Classes of others get the address of their own documentation.
"""

from docutils import nodes
from sphinx.errors import NoUri

_PYTHON = "https://docs.python.org/3/library/"
OUTSIDE = {
    "asyncio.Event": _PYTHON + "asyncio-sync.html#asyncio.Event",
    "datetime.datetime": _PYTHON + "datetime.html#datetime.datetime",
    "pathlib.Path": _PYTHON + "pathlib.html#pathlib.Path",
    "queue": _PYTHON + "queue.html#module-queue",
    "queue.Queue": _PYTHON + "queue.html#queue.Queue",
    "ssl.SSLContext": _PYTHON + "ssl.html#ssl.SSLContext",
    "numpy.ndarray": "https://numpy.org/doc/stable/reference/generated/numpy.ndarray.html",
    "PIL.Image.Image": "https://pillow.readthedocs.io/en/stable/reference/Image.html",
}
ALSO_KNOWN_AS = {"np.ndarray": "numpy.ndarray", "Image.Image": "PIL.Image.Image"}


# Unions have no name of their own once they are evaluated.
UNIONS = {
    "Stream": ("streams.MetricsStream", "streams.LogsStream", "streams.VideoStream"),
    "Frame": tuple(
        f"frames.{name}"
        for name in (
            "TelemetryFrame",
            "EventFrame",
            "InitFrame",
            "VideoFrame",
            "GatewayReconnectingFrame",
            "ErrorFrame",
            "UnknownFrame",
            "Gap",
        )
    ),
}


def name_unions(app, what, name, obj, options, signature, return_annotation):
    """Return the signature with Stream and Frame instead of what they stand for."""
    # attrs has a sentinel for a default that a factory makes.
    shown = [signature and signature.replace("= NOTHING", "= {}"), return_annotation]
    for alias, members in UNIONS.items():
        spelled = " | ".join(f"~plexus_sync.{member}" for member in members)
        shown = [text and text.replace(spelled, f"~plexus_sync.{alias}") for text in shown]
    return tuple(shown)


def resolve(app, env, node, contnode):
    """Return the reference where it is one of those; None leaves it to be complained about."""
    if node.get("refdomain") != "py":
        return None
    target = ALSO_KNOWN_AS.get(node["reftarget"], node["reftarget"])
    if target in OUTSIDE:
        return nodes.reference("", "", contnode, internal=False, refuri=OUTSIDE[target])
    package, _, name = target.partition(".")
    name = name.rpartition(".")[2] if package == "plexus_sync" else target
    return _own(app, env, node, contnode, f"plexus_sync.{name}")


def _own(app, env, node, contnode, full_name):
    """Return the reference to what the interface documents under its public name."""
    domain = env.get_domain("py")
    found = domain.objects.get(full_name)
    if found is None:
        return None
    try:
        uri = app.builder.get_relative_uri(node["refdoc"], found.docname)
    except NoUri:
        return None
    return nodes.reference("", "", contnode, internal=True, refuri=f"{uri}#{found.node_id}")


def setup(app):
    """Tell Sphinx."""
    app.connect("autodoc-process-signature", name_unions)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
