"""How Sphinx makes the web book: `python scripts/build_book.py` gathers the pages and calls it."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "scripts")]

import lessons  # noqa: E402

project = "Knowledge distillation, by doing it"
author = "The kdhelpers contributors"
copyright = f"{author}; text and figures CC BY 4.0, code MIT"
version = release = lessons.version()
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "mathml",
]

# Lessons are shown as they were saved: nothing is run, and a control is the figure that was saved for it.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath", "attrs_inline"]
myst_heading_anchors = 3
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

default_role = "code"
autosummary_generate = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = project
html_math_renderer = "mathml"
html_favicon = "static/favicon.svg"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {
        "text": "Knowledge distillation",
        "image_light": "static/favicon.svg",
        "image_dark": "static/favicon.svg",
    },
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher", "navbar-icon-links"],
    "icon_links": [{"name": "Source", "url": lessons.address(), "icon": "fa-brands fa-github"}],
    "show_toc_level": 2,
    "show_nav_level": 2,
    "back_to_top_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": [],
}


def setup(app):
    app.connect("html-page-context", name_folds_by_their_words)


def name_folds_by_their_words(app, page, template, context, doctree):
    """myst-nb names every folded cell alike for screen readers; what it says on the fold is better."""
    if "body" in context:
        context["body"] = context["body"].replace(' aria-label="Toggle hidden content"', "")
