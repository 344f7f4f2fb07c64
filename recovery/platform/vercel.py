"""Vercel: checks whether production is being deployed, and which commit it runs."""

from collections.abc import Callable
from itertools import islice
from typing import Any

from recovery.errors import RecoveryError
from recovery.platform.http import Api
from states.checks import held, refused, unknown
from states.facts import Check

#: Vercel sets this variable in a build: the id of the deployment that is built.
OWN_VARIABLE = "VERCEL_DEPLOYMENT_ID"
DEPLOY, COMMIT = "vercel.deploy", "vercel.commit"
_PATH = "/v7/deployments"
_UNDER_WAY = "BUILDING,QUEUED,INITIALIZING"
#: States of a deployment that is no longer under way. Filtered here again, in case the API ignores its `state` filter.
_ENDED = frozenset({"ready", "error", "canceled", "deleted"})
#: Keys of a deployment's `meta` that hold its commit, one for each git host.
_COMMITS = ("githubCommitSha", "gitlabCommitSha", "bitbucketCommitSha")
_SHORT = 12


class Production:
    """The production deployments of one project."""

    def __init__(self, api: Callable[[], Api], project: str, team: str | None, own: str | None = None) -> None:
        """Opens nothing yet.

        Args:
            api: makes a client of Vercel's API.
            project: the project's id or name.
            team: id of the team that owns the project; None for a personal account.
            own: id of the deployment in whose build this process runs; None outside a build.
        """
        self._api = api
        self._own = own
        self._parameters = {"projectId": project, "target": "production", **({"teamId": team} if team else {})}
        self._source = f"the API of Vercel, project {project}"

    def deploy_check(self) -> Check:
        """The check that no deployment of production is under way: its build may run `prisma migrate deploy`."""
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
        """The check that production runs the checked out commit; if that is not demanded, both are only shown.

        Args:
            head: the checked out commit; None if there is none.
            demanded: whether the two commits have to be the same.
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
            what = f"{_named(ready[0])} names no commit" if ready else "no deployment of production is ready"
            if demanded:
                remedy = "Name the commit itself with --expect-commit."
                return unknown(COMMIT, f"{what}; {here}", self._source, remedy)
            return held(COMMIT, f"{what}; {here}; no commit was demanded", self._source)
        seen = f"production runs {commit[:_SHORT]} ({_named(ready[0])}); {here}"
        if commit == head:
            return held(COMMIT, f"{seen}, the same", self._source)
        if demanded:
            return refused(COMMIT, f"{seen}, another one", self._source, f"Check out {commit[:_SHORT]}.")
        return held(COMMIT, f"{seen}; the same commit was not demanded", self._source)

    def _deployments(self, states: str, **parameters: str) -> list[dict[str, Any]]:
        """Production's deployments in these states, newest first; at most `limit` of them if it is given."""
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
