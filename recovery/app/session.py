"""Finds the target, the project, the journal and the scratch server, from options, settings and environment."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import get_args

from recovery import config as configuration
from recovery.app.head_start import Ahead
from recovery.config import JOURNAL_VARIABLE, TARGET, Assumption, Config, Neon, Vercel, inherited
from recovery.effects.restore_point import dump, neon_branch
from recovery.effects.results import MakeRestorePoint
from recovery.errors import PreflightError, UsageError
from recovery.journal.confirmations import Confirmation, confirmations
from recovery.journal.sqlite_file import journal_file
from recovery.journal.stores import FileStore, PostgresStore, Store
from recovery.platform.http import Api, find_token
from recovery.platform.neon import branch_check
from recovery.platform.vercel import OWN_VARIABLE, Production
from recovery.postgres.target import Target
from recovery.postgres.url import parse
from recovery.preflight.checks import PRISMA, command_check
from recovery.preflight.expectation import VERCEL, Expectation
from recovery.prisma import dotenv, project
from recovery.prisma.git import Repository
from recovery.prisma.init_script import from_config, from_file
from recovery.prisma.project import Project
from recovery.prisma.sentinel import Sentinel, sentinel
from recovery.replay import scratch
from recovery.replay.lending import ScratchPool
from recovery.replay.workshop import Workshop
from recovery.sql.script import Script
from states.checks import NAMES, NOT_BY_SETTINGS, refused, unknown
from states.facts import Check
from states.repair import parted

#: Asks a person for the name of the production database, given where the URL leads; None if nobody can be asked.
AskName = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one call, which override the settings; None leaves it to them. Named as on the command line.

    Attributes:
        database_url: URL of the target; None: `DIRECT_URL`, `DATABASE_URL`… from the environment or `.env`.
        migrations: the migrations folder; None: the project's.
        schema: schema.prisma or its folder; None: the project's.
        config: `prisma-recovery.toml`; None: looked for from the project's folder upwards.
        expect_host: the host that the target must have.
        expect_database: the database that the target must be.
        expect_commit: the commit, branch or tag that must be checked out; `vercel`: the commit of production there.
        waive: checks of preflight that need not hold, each as `NAME=REASON`.
        journal: `target` or a PostgreSQL URL; None: as the environment or the settings say, else a file.
        restore_point: `neon`, `pg_dump` or `none`.
        assume: statements about production that decisions may rest on, besides those in the settings; `no_handwork`.
        scripts: folders with scripts of migrations that the migrations folder has lost, besides those in the settings.
    """

    database_url: str | None = None
    migrations: Path | None = None
    schema: Path | None = None
    config: Path | None = None
    expect_host: str | None = None
    expect_database: str | None = None
    expect_commit: str | None = None
    waive: tuple[str, ...] = ()
    journal: str | None = None
    restore_point: str | None = None
    assume: tuple[str, ...] = ()
    scripts: tuple[Path, ...] = ()


@dataclass(slots=True)
class Session:
    """Options, settings and environment of one call, and what follows from them; nothing is opened yet.

    Attributes:
        options: the options of the call.
        cwd: the folder that paths are relative to, and from which project and settings are looked for; absolute.
        environ: environment variables; the process's own are not read.
        ahead: a head start, for the first work that needs it; None: that work starts from nothing.
        lent: scratch servers that others use, too; None: each workshop starts one of its own.
        config: the settings.
    """

    options: Options
    cwd: Path
    environ: Mapping[str, str]
    ahead: Ahead | None = None
    lent: ScratchPool | None = None
    config: Config = field(init=False)
    _project: Project | UsageError | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Reads the settings."""
        self.config = configuration.load(self.options.config, self.cwd)

    def project(self) -> Project:
        """The Prisma project, which is looked for once.

        Raises:
            UsageError: there is none.
        """
        if self._project is None:
            try:
                self._project = project.find_configured(self.config, self.cwd, self.options.schema)
            except UsageError as error:
                self._project = error
        if isinstance(self._project, UsageError):
            raise self._project
        return self._project

    def folder(self) -> Path:
        """The migrations folder: the option's, else the project's."""
        if self.options.migrations is not None:
            return (self.cwd / self.options.migrations).resolve()
        return self.project().migrations

    def elsewhere(self) -> tuple[Path, ...]:
        """Folders with scripts that the migrations folder has lost: the options', then the settings'."""
        home = self.cwd if self.config.path is None else self.config.path.parent
        return (*(self.cwd / each for each in self.options.scripts), *(home / each for each in self.config.scripts))

    def store(self) -> Store:
        """Where the journal is kept: as the options say, else the environment, else the settings, else in a file."""
        where = self.options.journal or self.environ.get(JOURNAL_VARIABLE) or self.config.journal.url
        if not where:
            return FileStore(self.home())
        if where == TARGET:
            return PostgresStore(self.target().url)
        try:
            url = parse(where)
        except UsageError as error:
            raise UsageError(
                "journal.url",
                f"The journal's place is neither `{TARGET}` nor a usable URL. {error.fact}",
                f"Write `{TARGET}` for the production database itself, or postgresql://USER:PASSWORD@HOST:5432/DATABASE.",
            ) from error
        return PostgresStore(url)

    def assumed(self) -> frozenset[str]:
        """The assumptions that decisions may rest on, of the settings and of the options.

        Raises:
            UsageError: `usage.assume`.
        """
        # On the command line a hyphen stands where the settings have an underscore.
        named = {each.replace("-", "_") for each in self.options.assume}
        known = get_args(Assumption)
        if unknown_ones := sorted(named - set(known)):
            raise UsageError(
                "usage.assume",
                f"{unknown_ones[0]!r} is not the name of an assumption. Nothing was done.",
                f"Give one of: {', '.join(known)}.",
            )
        return frozenset(named) | self.config.assume

    def confirmations(self) -> tuple[Confirmation, ...]:
        """The databases that were confirmed before, from the journal."""
        return confirmations(self.store())

    def platforms(self) -> tuple[Callable[[], Check], ...]:
        """The checks that ask Neon and Vercel, for each that is configured."""
        neon, vercel, checks = self.config.neon, self.config.vercel, list[Callable[[], Check]]()
        demanded = self._expected_commit() == VERCEL
        if neon.project is not None:
            url = self.target().url
            checks.append(partial(branch_check, self.neon, neon.project, url, neon.branch))
        if vercel.project is not None:
            own = self.environ.get(OWN_VARIABLE)
            production = Production(partial(self._api, "Vercel", vercel), vercel.project, vercel.team, own)
            checks.append(production.deploy_check)
            checks.append(lambda: production.commit_check(self._head(), demanded=demanded))
        elif demanded:
            what = "which commit production runs is not known, since [vercel] names no project"
            remedy = "Set project under [vercel] in prisma-recovery.toml; or write refs/heads/vercel for a git branch."
            checks.append(partial(unknown, "vercel.commit", what, "prisma-recovery.toml", remedy))
        return tuple(checks)

    def restore_point(self, target: Target, discard: Collection[str] = ()) -> MakeRestorePoint | None:
        """A function that makes the restore point of the options or the settings; None if none is asked for.

        Args:
            target: the production database.
            discard: names of tables and columns whose rows may be lost; the restore point holds these tables' rows.

        Raises:
            UsageError: `usage.restore_point`.
        """
        kind, neon = self.options.restore_point or self.config.restore_point.kind, self.config.neon.project
        if kind == "pg_dump":
            folder = journal_file(self.home()).parent
            tables = sorted({parted(name)[0] for name in discard})
            return dump(target, folder, self.config.restore_point.pg_dump, self.environment(), tables)
        if kind == "neon" and neon is not None:
            return neon_branch(target, self.neon, neon)
        if kind == "none":
            return None
        raise UsageError(
            "usage.restore_point",
            f"A restore point of the kind {kind} cannot be made"
            f"{', since [neon] names no project' if kind == 'neon' else ': there is no such kind'}. Nothing was done.",
            "Set project under [neon] in prisma-recovery.toml, or choose pg_dump or none."
            if kind == "neon"
            else "Choose neon, pg_dump or none.",
        )

    def neon(self) -> Api:
        """Neon's API.

        Raises:
            UnreachableError: `platform.token`.
        """
        return self._api("Neon", self.config.neon)

    def _api(self, name: str, settings: Neon | Vercel) -> Api:
        path, file = self.config.path, settings.token_file
        where = None if file is None else (self.cwd if path is None else path.parent) / file
        return Api(name, settings.api_url, find_token(settings.token_env, where, self.environ))

    def _head(self) -> str | None:
        repository = Repository.find(self.folder())
        return None if repository is None else repository.head()

    def _expected_commit(self) -> str | None:
        return self.options.expect_commit or self.config.git.expect_commit

    def proof(self) -> Sentinel:
        """The proof of which database the project's Prisma works on: the head start's, else a new one."""
        if self.ahead is not None and self.ahead.sentinel is not None:
            begun, self.ahead.sentinel = self.ahead.sentinel, None
            return begun
        return sentinel(self.project(), self.config, self.environ)

    def command_check(self) -> Check:
        """The check `prisma.target` without starting Prisma: proven by an earlier run of this project, or unknown."""
        try:
            if sentinel(self.project(), self.config, self.environ).kept:
                return command_check(proven=True, limit=0.0)
        except PreflightError as error:
            return refused(PRISMA, error.fact, "node_modules", error.remedy)
        except UsageError:
            pass  # without a project or its packages there is no Prisma CLI to start anyway
        seen = "not checked, since this command does not start Prisma"
        return unknown(PRISMA, seen, "proofs of earlier runs", "`run` looks, before it changes anything.")

    def environment(self) -> dict[str, str]:
        """The environment for the commands that we start."""
        return inherited(self.environ)

    def home(self) -> Path:
        """The folder with the journal's file: the project's root, else the settings' folder, else the working one."""
        try:
            return self.project().root
        except UsageError:
            return self.config.path.parent if self.config.path is not None else self.cwd

    def target(self) -> Target:
        """The production database, by the URL that Prisma would find."""
        known: Project | None = None
        with contextlib.suppress(UsageError):
            known = self.project()
        url, source = dotenv.find_url(self.options.database_url, self.environ, known)
        return Target(parse(url), source)

    def expectation(self, ask: AskName) -> Expectation:
        """The expectations of the target and the checkout; `ask` is called if host or database is not given."""
        host = self.options.expect_host or self.config.production.host
        database = self.options.expect_database or self.config.production.database
        typed = None if host is not None and database is not None else self._typed(ask)
        return Expectation(
            host=host,
            database=database,
            commit=self._expected_commit(),
            typed=typed,
            source=self.config.source,
            waived=dict(_waiver(each) for each in self.options.waive),
            waived_by_settings=self._waived_by_settings(),
        )

    def _typed(self, ask: AskName) -> str | None:
        """Asks for the database's name. The question does not show it: the person who answers must know it."""
        target = self.target()
        return ask(f"{target.url.host}:{target.url.port}, URL from {target.source}")

    def _waived_by_settings(self) -> dict[str, str]:
        """The checks that the settings waive if they are unknown, with reasons."""
        for each in self.config.waive:
            if instead := NOT_BY_SETTINGS.get(each.check):
                raise self._no_waiver(each.check, instead)
            if each.check not in NAMES:
                raise self._no_waiver(each.check, f"The checks are: {', '.join(NAMES)}.")
        return {each.check: each.reason for each in self.config.waive}

    def _no_waiver(self, check: str, remedy: str) -> UsageError:
        fact = f"{self.config.path} holds an invalid value: {check} cannot be waived there. Nothing was done."
        return UsageError("config.invalid_value", fact, remedy)

    def init(self) -> tuple[Script, ...]:
        """The script that is run in a scratch database before the history: the settings', else the project's own.

        Raises:
            UsageError: `config.init_unreadable`.
        """
        named, path = self.config.scratch.init, self.config.path
        if named is not None:
            return (from_file((self.cwd if path is None else path.parent) / named),)
        try:
            known = self.project()
        except UsageError:
            return ()  # there is only a migrations folder
        found = from_config(known, self.environment())
        return () if found is None else (found,)

    @contextlib.contextmanager
    def workshop(self, target: Target) -> Iterator[Workshop]:
        """A workshop on the scratch server, which starts in the background."""
        url, init = self.config.scratch.url, self.init()
        if url is None and self.lent is not None:
            workshop = Workshop(self.lent.lend, target.url.schema, init)
        elif url is None:
            ahead, self.ahead = self.ahead, None  # the first workshop takes the server over, and stops it
            server = None if ahead is None else ahead.server
            workshop = Workshop(lambda: scratch.embedded(server), target.url.schema, init)
        else:
            conninfo, identifier = parse(url).conninfo, target.identity.system_identifier
            workshop = Workshop(lambda: scratch.at(conninfo, identifier), target.url.schema, init)
        try:
            yield workshop
        finally:
            workshop.close()


def _waiver(text: str) -> tuple[str, str]:
    name, separator, reason = text.partition("=")
    if not separator or not reason.strip():
        raise UsageError(
            "usage.waive",
            f"--waive {name} gives no reason, so nothing was waived.",
            'Write --waive NAME="the reason"; the reason is recorded in the journal and the report.',
        )
    if name.strip() not in NAMES:
        raise UsageError(
            "usage.waive",
            f"No check is named {name.strip()}, so nothing was waived.",
            f"The checks are: {', '.join(NAMES)}.",
        )
    return name.strip(), reason.strip()
