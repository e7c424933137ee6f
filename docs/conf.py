"""How the pages become a site: `make docs`. Nothing is fetched, neither while it is built nor while it is read."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "Gossamer"
author = "the authors of Gossamer"
project_copyright = "the authors of Gossamer, MIT licence"
release = installed_version("gossamer")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml", "one_source", "whole_names"]
exclude_patterns = ["_ext"]
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

default_role = "code"  # a single backtick is code in docstrings, as it is in Markdown
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Guarantee"]
napoleon_use_rtype = False
napoleon_use_ivar = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "exclude-members": "__init__, __new__"}
python_maximum_signature_line_length = 80
add_module_names = False

html_theme = "furo"
html_title = f"Gossamer {release}"
html_static_path = ["_static"]
html_css_files = ["gossamer.css"]
html_favicon = "_static/gossamer.svg"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"light_logo": "gossamer.svg", "dark_logo": "gossamer-dark.svg"}
