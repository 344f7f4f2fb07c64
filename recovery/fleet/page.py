"""A look at a fleet as one HTML page: it loads nothing, and runs one script of its own, which sorts and filters."""

import base64
import hashlib
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from recovery.fleet.document import TOLD_FIRST, FleetInspectDocument
from recovery.fleet.words import OUTCOMES
from recovery.report.page import name, prose
from recovery.version import __version__


def html(found: FleetInspectDocument, at: str) -> str:
    """The page, complete and self-contained.

    Args:
        found: the findings.
        at: when the look was made, for people.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("recovery.fleet"), PackageLoader("recovery.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": prose, "name": name}
    script = files("recovery.fleet").joinpath("templates/fleet.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("fleet.html.j2").render(
        found=found,
        # What needs somebody comes first; each column sorts.
        databases=sorted(found.databases, key=lambda each: TOLD_FIRST.index(each.outcome)),
        outcomes=OUTCOMES,
        labels=sorted({label for each in found.databases for label in each.labels}),
        at=at,
        script=Markup(script),  # noqa: S704 - our own file
        script_digest=digest,
        release=__version__,
    )
