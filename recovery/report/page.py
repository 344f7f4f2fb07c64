"""The report as one HTML page: it loads nothing, runs no script, and escapes every text."""

from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from recovery.report import diagram, words
from recovery.report.postmortem import postmortem
from recovery.report.story import Story
from recovery.report.summary import cause, summary
from recovery.version import __version__
from states.plans import Repairs


def prose(text: str) -> Markup:
    """A sentence as HTML; text between backticks becomes code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def name(text: str) -> Markup:
    """A long name as HTML, which a browser may break after each underscore."""
    return Markup("_<wbr>").join(text.split("_"))


def plans(evidence: dict[str, Any]) -> Repairs:
    """The plans of repair in recorded evidence; older releases recorded none."""
    return msgspec.convert(evidence.get("repair", {}), Repairs)


def html(story: Story) -> str:
    """The page, complete and self-contained."""
    environment = Environment(
        loader=PackageLoader("recovery.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": words.duration,
        "moment": words.moment,
        "clock": words.clock,
        "row": words.row,
        "differing": words.differing,
        "cause": cause,
        "prose": prose,
        "name": name,
        "plans": plans,
    }
    page = environment.get_template("report.html.j2").render(
        story=story,
        summary=summary(story),
        # Safe as markup: the diagram holds only numbers and the words of the table of edges, escaped.
        diagram=Markup(diagram.svg(story.trail, legend=False)),  # noqa: S704
        notes=postmortem(story),
        words=words,
        release=__version__,
    )
    return words.shown(page)
