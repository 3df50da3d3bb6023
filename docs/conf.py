"""How Sphinx builds the documentation: ``make docs``. Needs no network."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))
sys.path.insert(0, str(HERE.parent))

import plexus_sync  # noqa: E402  # from this checkout, installed or not

project = "plexus-sync"
author = "The plexus-sync developers"
copyright = author  # Sphinx's own name for it
version = release = plexus_sync.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "from_code",
    "references",
]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"plexus-sync {version}"
html_static_path = ["_static"]
html_css_files = ["plexus-sync.css"]
html_copy_source = False
highlight_language = "text"  # unless a block says otherwise
pygments_style = "tango"

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80

doctest_test_doctest_blocks = ""  # only what says that it is a doctest
