"""Vercel: is production being deployed, and from which commit does it run?"""

from collections.abc import Callable
from itertools import islice
from typing import Any

from recovery.errors import RecoveryError
from recovery.platform.http import Api
from states.checks import held, refused, unknown
from states.facts import Check

#: In a build of Vercel's: the id of its deployment.
OWN_VARIABLE = "VERCEL_DEPLOYMENT_ID"
DEPLOY, COMMIT = "vercel.deploy", "vercel.commit"
_PATH = "/v7/deployments"
_UNDER_WAY = "BUILDING,QUEUED,INITIALIZING"
#: Who ignores a filter answers with all there are.
_ENDED = frozenset({"ready", "error", "canceled", "deleted"})
#: Where each git host's commit is kept.
_COMMITS = ("githubCommitSha", "gitlabCommitSha", "bitbucketCommitSha")
_SHORT = 12


class Production:
    """The production deployments of one project."""

    def __init__(self, api: Callable[[], Api], project: str, team: str | None, own: str | None = None) -> None:
        """Opens nothing yet.

        Args:
            api: makes a client.
            project: its id or name.
            team: its owner's id; None for a personal account.
            own: id of the deployment that this process is part of; None where it is of none.
        """
        self._api = api
        self._own = own
        self._parameters = {"projectId": project, "target": "production", **({"teamId": team} if team else {})}
        self._source = f"the API of Vercel, project {project}"

    def deploy_check(self) -> Check:
        """No deployment of production is under way: its build may run `prisma migrate deploy`."""
        try:
            found = [each for each in self._deployments(_UNDER_WAY) if _state(each) not in _ENDED]
        except RecoveryError as error:
            return unknown(DEPLOY, error.fact.rstrip("."), self._source, error.remedy)
        running = [each for each in found if self._own is None or each.get("uid") != self._own]
        if not running:
            but = " but this one" if found else ""
            return held(DEPLOY, f"no deployment of production{but} is under way", self._source)
        more = f" and {len(running) - 1} more" if len(running) > 1 else ""
        seen = f"{_named(running[0])} is {_state(running[0]) or 'under way'}{more}"
        remedy = "Wait until it has ended, or cancel it in Vercel; and keep new ones from starting meanwhile."
        return refused(DEPLOY, seen, self._source, remedy, busy=True)

    def commit_check(self, head: str | None, *, demanded: bool) -> Check:
        """Which commit production runs, beside the checked out one.

        Args:
            head: the checked out commit; None without one.
            demanded: they have to be the same.
        """
        try:
            ready = [each for each in self._deployments("READY", limit="1") if _state(each) == "ready"]
        except RecoveryError as error:
            return unknown(COMMIT, error.fact.rstrip("."), self._source, error.remedy)
        meta = ready[0].get("meta") if ready else None
        known = meta if isinstance(meta, dict) else {}
        commit = next((str(known[key]).lower() for key in _COMMITS if known.get(key)), None)
        here = f"HEAD is {(head or 'unborn')[:_SHORT]}"
        if commit is None:
            what = f"{_named(ready[0])} tells no commit" if ready else "no deployment of production is ready"
            if demanded:
                remedy = "Name the commit itself with --expect-commit."
                return unknown(COMMIT, f"{what}; {here}", self._source, remedy)
            return held(COMMIT, f"{what}; {here}; none was demanded", self._source)
        seen = f"production runs {commit[:_SHORT]} ({_named(ready[0])}); {here}"
        if commit == head:
            return held(COMMIT, f"{seen}, the same", self._source)
        if demanded:
            return refused(COMMIT, f"{seen}, another one", self._source, f"Check out {commit[:_SHORT]}.")
        return held(COMMIT, f"{seen}; the same was not demanded", self._source)

    def _deployments(self, states: str, **parameters: str) -> list[dict[str, Any]]:
        """Newest first; with `limit` the first page only."""
        api = self._api()
        try:
            found = api.pages(_PATH, "deployments", "until", **self._parameters, state=states, **parameters)
            return [*islice(found, int(parameters["limit"]) if "limit" in parameters else None)]
        finally:
            api.close()


def _named(deployment: dict[str, Any]) -> str:
    return f"the deployment {deployment.get('url') or deployment.get('uid') or 'without a name'}"


def _state(deployment: dict[str, Any]) -> str:
    return str(deployment.get("readyState") or deployment.get("state") or "").lower()
