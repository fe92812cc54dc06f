"""The site: these pages, and the reference that the docstrings are. CONTRIBUTING.md says how to build it."""

import re

import lanewise
from docutils import nodes

project = "Lanewise"
author = "The Lanewise developers"
copyright = author
version = release = lanewise.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}  # autosummary writes the latter
exclude_patterns = ["_build"]
templates_path = ["_templates"]  # a page of the reference is called by its name alone: the sidebar is narrow

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say it
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "furo"
html_title = f"Lanewise {release}"


def escape_bars(app, what, name, obj, options, lines):
    """|x| is a magnitude, which reStructuredText takes for the name of something to put there."""
    lines[:] = ["``".join(part if k % 2 else part.replace("|", "\\|") for k, part in enumerate(line.split("``")))
                for line in lines]


def show_figures(app, what, name, obj, options, lines):
    """A docstring names the file with a function's figure; its page shows it."""
    for k, line in enumerate(lines):
        if found := re.fullmatch(r"( *)(.*): docs(/images/functions/\w+\.png)\.", line):
            indent, caption, file = found.groups()
            lines[k:k + 1] = ["", f"{indent}.. image:: {file}", f"{indent}   :alt: {caption}", ""]


def keep_numbers_whole(app, doctree):
    """No line breaks between the thousands of a number, as in 65 536."""
    for text in list(doctree.findall(nodes.Text)):
        kept = re.sub(r"(?<=\d) (?=\d{3}\b)", "\N{NO-BREAK SPACE}", text)
        if kept != text and not isinstance(text.parent, (nodes.literal, nodes.literal_block, nodes.raw, nodes.math)):
            text.parent.replace(text, nodes.Text(kept))


def skip_aliases(app, what, name, obj, skip, options):
    """The fields of a named tuple are told in its docstring; what Python says of each is no help."""
    return True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app):
    """Sphinx calls this."""
    app.connect("doctree-read", keep_numbers_whole)
    app.connect("autodoc-skip-member", skip_aliases)
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("autodoc-process-docstring", show_figures)
