"""Sphinx settings: ``make docs`` builds these pages with warnings as errors."""

from importlib.metadata import version as version_of

project = "syncd"
author = "The syncd authors"
copyright = "2026, the syncd authors"
release = version = version_of("syncd")

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"syncd {release}"
html_show_sphinx = False
