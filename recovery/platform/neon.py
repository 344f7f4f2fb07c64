"""Neon: finds the branch to which the target's host belongs, and makes a branch as a restore point."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from recovery.errors import PreflightError, RecoveryError
from recovery.platform.http import Api
from recovery.postgres.url import DatabaseUrl, direct_host
from states.checks import held, refused, unknown
from states.facts import Check

NAME = "neon.branch"
_WRITES = "read_write"


def branch_check(api: Callable[[], Api], project: str, url: DatabaseUrl, wanted: str | None) -> Check:
    """The check that the target's host belongs to this project, and to the branch that is production.

    Args:
        api: makes a client of Neon's API.
        project: the project's id.
        url: the target's URL.
        wanted: id or name of the branch that is production; None: the project's default branch.
    """
    source = f"the API of Neon, project {project}"
    with ThreadPoolExecutor(max_workers=2) as beside:
        asked = [beside.submit(_listed, api, project, key) for key in ("endpoints", "branches")]
    try:
        endpoints, branches = (each.result() for each in asked)
    except RecoveryError as error:
        return unknown(NAME, error.fact.rstrip("."), source, error.remedy)
    return _judged(source, url, wanted, endpoints, branches)


def _listed(api: Callable[[], Api], project: str, key: str) -> list[dict[str, Any]]:
    client = api()
    try:
        return list(client.pages(f"{_path(project)}/{key}", key, "cursor"))
    finally:
        client.close()


def _judged(
    source: str, url: DatabaseUrl, wanted: str | None, endpoints: list[dict[str, Any]], branches: list[dict[str, Any]]
) -> Check:
    host = direct_host(url.host)
    endpoint = next((each for each in endpoints if str(each.get("host", "")).lower() == host), None)
    if endpoint is None:
        return refused(
            NAME,
            f"no endpoint of the project has the host {host}",
            source,
            "Correct the URL, or project under [neon] in prisma-recovery.toml.",
        )
    branch = next((each for each in branches if each.get("id") == endpoint.get("branch_id")), None)
    if branch is None:
        return unknown(NAME, f"the branch of the host {host} is not among the project's branches", source, "Run again.")
    pooled = f" (through its pooler; the direct host is {host})" if host != url.host.lower() else ""
    marks = "".join(f", {word}" for word in ("default", "protected") if branch.get(word) is True)
    state = endpoint.get("current_state", "in an unknown state")
    seen = f"branch {branch.get('name')}{marks}, compute {state}{pooled}"
    if wanted is not None and wanted not in (branch.get("id"), branch.get("name")):
        remedy = "Correct the URL, or branch under [neon] in prisma-recovery.toml."
        return refused(NAME, f"{seen}; expected the branch {wanted}", source, remedy)
    if wanted is None and branch.get("default") is not True:
        remedy = "Use the URL of the default branch; or name this one: branch under [neon] in prisma-recovery.toml."
        return refused(NAME, f"{seen}; it is not the project's default branch", source, remedy)
    if endpoint.get("type") != _WRITES:
        return refused(NAME, f"{seen}; its endpoint is {endpoint.get('type')}", source, "Use the read-write endpoint.")
    if endpoint.get("disabled") is True:
        return refused(NAME, f"{seen}; its endpoint is disabled", source, "Enable it, and run again.")
    return held(NAME, f"{seen}, read-write", source)


def _path(project: str) -> str:
    return f"/projects/{quote(project, safe='')}"


#: Final states of a successful operation; the other final states are failures.
_DONE = frozenset({"finished", "skipped"})
_UNDER_WAY = frozenset({"scheduling", "running"})
#: Seconds to wait for a new branch, which takes a few seconds whatever its size.
BRANCH_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that was made as a restore point.

    Attributes:
        id: its id.
        parent: id of the branch from whose head it was made.
    """

    id: str
    parent: str


def make_branch(
    api: Api,
    project: str,
    parent_host: str,
    name: str,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Branch:
    """Makes a branch from the head of the branch to which a host belongs, unless the project has one of this name.

    Args:
        api: a client of Neon's API.
        project: the project's id.
        parent_host: host of the branch to copy, its direct host or its pooler's.
        name: the new branch's name.
        sleep: waits the given number of seconds.
        clock: seconds, monotonic.

    Raises:
        RecoveryError: `platform.*`, or `restore_point.failed` if Neon did not make the branch, or not in time.
    """
    there = list(api.pages(f"{_path(project)}/branches", "branches", "cursor"))
    endpoints = api.pages(f"{_path(project)}/endpoints", "endpoints", "cursor")
    parent = next((e.get("branch_id") for e in endpoints if e.get("host") == direct_host(parent_host)), None)
    if parent is None:
        raise _failed(f"no endpoint of the project {project} has the host {direct_host(parent_host)}")
    for branch in there:
        if branch.get("name") == name and branch.get("current_state", "ready") == "ready":
            return Branch(str(branch.get("id")), str(parent))
    made = api.post(f"{_path(project)}/branches", {"branch": {"name": name, "parent_id": parent}})
    new, operations = made.get("branch"), made.get("operations")
    if not isinstance(new, dict) or not isinstance(operations, list):
        raise _failed("Neon's answer names no branch")
    deadline = clock() + BRANCH_SECONDS
    for operation in operations:
        status = operation.get("status")
        while status in _UNDER_WAY:
            if clock() > deadline:
                raise _failed(f"Neon did not finish the branch {name} within {BRANCH_SECONDS:g} s")
            sleep(0.5)
            answer = api.get(f"{_path(project)}/operations/{operation.get('id')}").get("operation")
            status = answer.get("status") if isinstance(answer, dict) else None
        if status not in _DONE:
            raise _failed(f"Neon's operation on the branch {name} ended as {status}")
    return Branch(str(new.get("id")), str(parent))


def _failed(why: str) -> PreflightError:
    return PreflightError(
        "restore_point.failed",
        f"A branch as a restore point could not be made: {why}. Nothing was changed.",
        "Look at the project in Neon's console, and run again; or choose another restore point with --restore-point.",
    )
