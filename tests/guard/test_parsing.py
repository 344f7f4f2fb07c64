"""Which Prisma commands a command line runs, however they are started."""

import shlex
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.guard.commands import Danger, classify
from recovery.guard.parsing import FoundCommands, find
from recovery.guard.shell import UNKNOWN, split

PUSH, DEV, RESET, EXECUTE = Danger.DB_PUSH, Danger.MIGRATE_DEV, Danger.MIGRATE_RESET, Danger.DB_EXECUTE
SCRIPTS = {
    "db:push": "prisma db push",
    "setup": "npm run generate && npm run db:push",
    "generate": "prisma generate",
    "prisma": "prisma",
    "deploy": "prisma migrate deploy",
    "predeploy": "prisma migrate reset --force",
    "postinstall": "prisma db push --accept-data-loss",
    "loop": "npm run loop; npm run loop2",
    "loop2": "npm run loop && yarn db:push",
    "command": "prisma migrate reset",
    "many0": "true",
    **{f"many{n}": f"npm run many{n - 1}; npm run many{n - 1}" for n in range(1, 40)},
}


class Package:
    """A package.json with SCRIPTS, and links as given."""

    def __init__(self, links: Mapping[str, str] | None = None) -> None:
        self._links = links or {}

    def scripts(self, folder: str | None) -> tuple[str | None, Mapping[str, tuple[str, ...]]]:
        """The same scripts everywhere."""
        return folder, {name: (text,) for name, text in SCRIPTS.items()}

    def real(self, word: str, folder: str | None) -> str:  # noqa: ARG002 - the port's
        """Where a link leads."""
        return self._links.get(word, word)


def found(line: str, links: Mapping[str, str] | None = None) -> FoundCommands:
    """What a command line runs, as a shell would hand it over."""
    return find(shlex.split(line), Package(links))


def dangers(line: str) -> list[Danger]:
    """The dangerous commands in it."""
    return [each.command.danger for each in found(line).invocations if each.command.danger]


@pytest.mark.parametrize(
    ("line", "danger"),
    [
        ("prisma db push", PUSH),
        ("prisma migrate dev", DEV),
        ("prisma migrate dev --create-only --name x", DEV),
        ("prisma migrate reset --force", RESET),
        ("prisma db execute --stdin", EXECUTE),
        ("prisma DB Push", PUSH),
        ("prisma db push --help --", PUSH),
        ("prisma -- db push", PUSH),
        ("prisma db push -- --help", PUSH),
        ("prisma --schema=x db push", PUSH),
        ("prisma --schema x db push", PUSH),
        ("prisma db --schema x push", PUSH),
        ("prisma db --schema push", PUSH),
        ("prisma --schema db push", PUSH),
        ("prisma --config prisma.config.ts db --foo push", PUSH),
        ("prisma migrate deploy --accept-data-loss", Danger.DATA_LOSS),
        ("prisma frobnicate --force-reset=true", Danger.DATA_LOSS),
        ("npx prisma db push", PUSH),
        ("npx -y prisma@6 db push", PUSH),
        ("npx --yes prisma@6.19.3 db push", PUSH),
        ("npx -p prisma prisma db push", PUSH),
        ("npx --package=prisma@latest -- prisma db push", PUSH),
        ("npx --package prisma -c 'prisma db push'", PUSH),
        ("npx --package prisma --call='prisma db push'", PUSH),
        ("find . -exec npx prisma db push ; --help", PUSH),
        ("npx -p prisma -p x@1 -c 'cd app && prisma db push'", PUSH),
        ("npx @prisma/cli db push", PUSH),
        ("npx prisma2 db push", PUSH),
        ("npx foo@npm:prisma@6 db push", PUSH),
        ("pnpx prisma db push", PUSH),
        ("pnpm prisma db push", PUSH),
        ("pnpm exec prisma db push", PUSH),
        ("pnpm dlx prisma@6 db push", PUSH),
        ("pnpm --filter web exec prisma db push", PUSH),
        ("pnpm -C apps/web exec prisma db push", PUSH),
        ("pnpm -w prisma db push", PUSH),
        ("pnpm -w db:push", PUSH),
        ("run-s 'generate -- --accept-data-loss'", Danger.DATA_LOSS),
        ("yarn prisma db push", PUSH),
        ("yarn dlx prisma db push", PUSH),
        ("yarn run -T prisma db push", PUSH),
        ("yarn workspace web prisma db push", PUSH),
        ("bunx prisma db push", PUSH),
        ("bunx --bun prisma@6 db push", PUSH),
        ("bun x prisma db push", PUSH),
        ("bun run db:push", PUSH),
        ("npm exec prisma -- db push", PUSH),
        ("npm exec -- prisma db push", PUSH),
        ("npm exec --package=prisma -c 'prisma db push'", PUSH),
        ("npm x -y -- prisma@6 db push", PUSH),
        ("deno run -A npm:prisma@6 db push", PUSH),
        ("npm run db:push", PUSH),
        ("npm run-script db:push", PUSH),
        ("npm --prefix app run db:push", PUSH),
        ("npm run setup", PUSH),
        ("npm run loop", PUSH),
        ("pnpm setup", PUSH),
        ("yarn db:push --skip-generate", PUSH),
        ("npm run prisma -- migrate dev", DEV),
        ("pnpm prisma migrate dev", DEV),
        ("npm run deploy", RESET),
        ("npm run command", RESET),
        ("npm exec -w web prisma db push", PUSH),
        ("npm install", PUSH),
        ("npm ci", PUSH),
        ("yarn", PUSH),
        ("npm run generate -- --accept-data-loss", Danger.DATA_LOSS),
        ("npx run-s generate db:push", PUSH),
        ("run-p 'db:*'", PUSH),
        ("run-s 'db:push -- --skip-generate'", PUSH),
        ("npx concurrently npm:db:push 'next dev'", PUSH),
        ("npx concurrently 'prisma db push' 'next dev'", PUSH),
        ("turbo run db:push", PUSH),
        ("node node_modules/prisma/build/index.js db push", PUSH),
        ("node --enable-source-maps ./node_modules/prisma/build/index.js db push", PUSH),
        ("node node_modules/.pnpm/prisma@6.19.3/node_modules/prisma/build db push", PUSH),
        ("./node_modules/.bin/prisma db push", PUSH),
        ("'/my project/node_modules/.bin/prisma' db push", PUSH),
        ("node_modules/.bin/prisma.cmd db push", PUSH),
        ("env X=y npx prisma db push", PUSH),
        ("env -i -u Z PATH=/bin npx prisma db push", PUSH),
        ("env -S 'npx prisma db push'", PUSH),
        ("dotenv -e .env.production -- prisma db push", PUSH),
        ("dotenvx run -f .env.production -- npx prisma db push", PUSH),
        ("sh -c 'npx prisma db push'", PUSH),
        ('bash -lc "cd app && DATABASE_URL=x npx prisma db push > log 2>&1"', PUSH),
        ("sh -c 'echo 1; (true && npx pri\"sma\" db p\\ush) | cat'", PUSH),
        ("sh -c 'if true; then prisma db push; fi'", PUSH),
        ("sh -c 'npx prisma db push & wait'", PUSH),
        ("sh -c './node_modules/.bin/prisma db push && ./node_modules/.bin/prisma'", PUSH),
        ("sh -c \"sh -c 'npx prisma db push'\"", PUSH),
        ("sh -c 'eval \"npx prisma db push\"'", PUSH),
        ("sh -c 'exec npx prisma db push'", PUSH),
        ("sudo -E npx prisma db push", PUSH),
        ("sudo -u deploy npx prisma db push", PUSH),
        ("cross-env NODE_ENV=production prisma db push", PUSH),
        ("timeout -s KILL 10 nice -n 5 npx prisma db push", PUSH),
        ("doppler run -- npx prisma db push", PUSH),
        ("docker compose exec web npx prisma db push", PUSH),
        ("prisma-recovery guard -- npx prisma db push", PUSH),
        ("xargs npx prisma db", Danger.OPEN),
        ("xargs -I% npx prisma db %", Danger.OPEN),
        ("parallel prisma ::: 'db push'", Danger.OPEN),
        ("pnpm run /push/", PUSH),
        ("sh -c 'npx prisma $WHAT'", Danger.OPEN),
        ("sh -c 'npx prisma db $WHAT'", Danger.OPEN),
        ("sh -c 'npx prisma {db,push}'", Danger.OPEN),
        ("sh -c 'p() { npx prisma \"$@\"; }; p db push'", Danger.OPEN),
    ],
)
def test_a_dangerous_command_is_found(line: str, danger: Danger) -> None:
    """However it is started, and wherever its options stand."""
    assert danger in dangers(line)


@pytest.mark.parametrize(
    "line",
    [
        "sh -c 'npx prisma $(echo db push)'",
        "sh -c 'npx prisma `echo db` push'",
        "sh -c 'x=$(date); npx prisma db push'",
        "sh -c 'P=prisma; npx $P db push'",
        "sh -c '$TOOL db push'",
        "sh -c 'alias p=prisma; p db push'",
        "sh -c 'npx prisma db execute --stdin <<SQL\nselect 1\nSQL'",
        "sh -c 'npx prisma db push \"'",
        "node -e \"process.argv.push('db', 'push'); require('prisma/build')\"",
        "npm run many39",
        "npx tsx -e \"import('prisma/build/index.js')\" db push",
    ],
)
def test_what_cannot_be_read_is_told(line: str) -> None:
    """A text that may run a dangerous command, and can't be taken apart, is unclear."""
    assert found(line).unclear


@pytest.mark.parametrize(
    "line",
    [
        "sh -c 'cd app && npx prisma db push'",
        "sh -c 'export A=1; npx prisma db push'",
        "sh -c 'true && cd app && npx prisma db push && echo done'",
        "sh -c '(npx prisma db push)'",
        "sh -c 'npx prisma db push | cat'",
        "bash -c 'if [ -f x ]; then A=1 npx prisma db push; fi'",
    ],
)
def test_what_surely_leads_there_is_clear(line: str) -> None:
    """A shell that changes nothing unseen leaves nothing unclear."""
    (invocation,) = (each for each in found(line).invocations if each.command.danger)
    assert not invocation.context.unclear


@pytest.mark.parametrize(
    "line",
    [
        "prisma",
        "prisma --version",
        "prisma generate",
        "prisma migrate deploy",
        "prisma migrate status",
        "prisma migrate resolve --applied 1_dev",
        "prisma migrate diff --from-schema-datamodel push --to-empty",
        "prisma db pull",
        "prisma db seed",
        "prisma db push --help",
        "npx prisma migrate dev -h",
        "npm run generate",
        "sh -c 'npx prisma migrate deploy && npx prisma generate'",
        "sh -c 'cd app; npx prisma migrate deploy'",
    ],
)
def test_a_harmless_command_is_left_alone(line: str) -> None:
    """It is found to be Prisma's, and nothing of it is dangerous or unclear."""
    result = found(line)
    assert result.invocations
    assert not dangers(line)
    assert not result.unclear


@pytest.mark.parametrize("line", ["git status", "npm test", "sh -c 'echo $HOME'", "next build", "node server.js --dev"])
def test_what_is_not_prisma_is_told_as_such(line: str) -> None:
    """Nothing is found in it, and nothing unclear."""
    assert found(line) == FoundCommands((), ())


def test_a_link_to_prisma_is_prisma() -> None:
    """A program of another name is followed to where it leads."""
    links = {"./p": "/app/node_modules/prisma/build/index.js"}
    (invocation,) = found("./p db push", links).invocations
    assert invocation.command.danger is PUSH


def test_what_a_launcher_sets_is_known() -> None:
    """Variables, files and folders are those that the command gets."""
    (invocation,) = found("env -C app A=1 dotenv -e .env.production -v B=2 -- prisma db push").invocations
    assert invocation.context.folder == "./app"
    assert invocation.context.assigned == (("B", "2"), ("A", "1"))
    assert ".env.production" in invocation.context.files
    assert not invocation.context.unclear
    (invocation,) = found("sh -c 'export A=1; cd /x; B=$C npx prisma db push'").invocations
    assert (invocation.context.folder, invocation.context.nested) == ("/x", True)
    assert invocation.context.assigned == (("B", f"{UNKNOWN}C{UNKNOWN}"), ("A", "1"))


@pytest.mark.parametrize(
    "line",
    [
        "doppler run -- prisma db push",
        "npx -y doppler run -- prisma db push",
        "npx foo DATABASE_URL=dev prisma db push",
        "sh -c '. ./production.env; prisma db push'",
        "sh -c 'source x && prisma db push'",
        "sh -c 'DATABASE_URL=x; prisma db push'",
        "sh -c 'cd $DIR && prisma db push'",
        "pnpm --filter web exec prisma db push",
        "npx prisma dotenv -e .env.production prisma db push",
        "sh -c '(export DATABASE_URL=dev); prisma db push'",
        "sh -c 'true || export DATABASE_URL=dev; prisma db push'",
        "sh -c 'test -f x && export DATABASE_URL=dev; prisma db push'",
        "sh -c 'if false; then export DATABASE_URL=dev; fi; prisma db push'",
        "sh -c 'export DATABASE_URL=dev | cat; prisma db push'",
        "sh -c 'cd missing; prisma db push'",
    ],
)
def test_what_may_lead_elsewhere_is_told(line: str) -> None:
    """Where something unseen may change the environment or the folder, that is said."""
    assert all(each.context.unclear for each in found(line).invocations if each.command.danger)


HARMLESS = ("--skip-generate", "--schema=x", "--create-only", "--name=x", "--config=y", "--unknown", "--sql", "--no-x")
LAUNCHERS = (
    "", "npx", "npx -y", "pnpm exec", "pnpm dlx", "yarn", "bunx", "bun x", "npm exec --", "env A=b npx", "sudo npx",
    "cross-env A=b npx", "dotenv -e .env --", "timeout 10 npx", "unknown run --",
)  # fmt: skip
COMMANDS = (
    ["db", "push"],
    ["migrate", "dev"],
    ["migrate", "reset"],
    ["migrate", "deploy"],
    ["generate"],
    ["db", "pull"],
)


@given(
    st.sampled_from(LAUNCHERS),
    st.sampled_from(("prisma", "prisma@6", "./node_modules/.bin/prisma", "node_modules/prisma/build/index.js")),
    st.sampled_from(COMMANDS),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(HARMLESS))),
)
def test_harmless_options_anywhere_change_nothing(
    launcher: str, program: str, command: list[str], options: list[tuple[int, str]]
) -> None:
    """The answer is that of the command without them."""
    words = list(command)
    for position, option in options:
        words.insert(min(position, len(words)), option)
    (plain,) = found(f"{launcher} {program} {' '.join(command)}").invocations
    (given_options,) = found(f"{launcher} {program} {' '.join(words)}").invocations
    assert given_options.command.danger == plain.command.danger
    quoted = shlex.join([*launcher.split(), program, *words])
    (nested,) = find(["sh", "-c", f"true && {quoted} || false"], Package()).invocations
    assert nested.command.danger == plain.command.danger


@given(st.lists(st.text(min_size=1).filter(lambda word: "\0" not in word and not word.isalpha())))
def test_a_shells_quoting_is_undone(words: list[str]) -> None:
    """Whatever words are, quoted and taken apart they are the same."""
    segments = split(shlex.join(words))
    assert [segment.texts for segment in segments] == ([tuple(words)] if words else [])


@given(st.text())
def test_any_text_is_taken_apart_or_unreadable(text: str) -> None:
    """No text makes it fail otherwise, as a shell's or as an argument."""
    try:
        segments = split(text)
    except ValueError:
        segments = ()
    for segment in segments:
        assert all(0 <= word.start < len(text) for word in segment.words)
    find(["sh", "-c", text], Package())
    classify([text])


@given(st.text())
def test_nothing_around_a_command_hides_it(text: str) -> None:
    """Before it stands anything that ends: the command is found, or the text is told to be unclear."""
    result = find(["sh", "-c", f"{text}\nnpx prisma db push"], Package())
    assert result.unclear or any(each.command.danger for each in result.invocations) or "\\" in text
