"""Programs that start other programs: package managers, shells, and programs that set variables. Pure."""

import re

from recovery.guard.context import Context

#: Programs that set variables by `NAME=value` among their arguments; "" stands for the start of a command line.
ASSIGNING = frozenset({"", "env", "cross-env", "cross-env-shell", "sudo", "doas"})
#: Programs that run scripts of package.json by name.
RUNNERS = frozenset(
    {
        "npm", "pnpm", "yarn", "yarnpkg", "bun", "npm-run-all", "npm-run-all2", "run-s", "run-p", "concurrently",
        "turbo", "nx", "lerna", "wireit", "nr", "ni",
    }
)  # fmt: skip
#: Runners that run one script and pass it all further arguments.
SINGLE = frozenset({"npm", "pnpm", "yarn", "yarnpkg", "bun"})
#: Subcommands of package managers, with the lifecycle scripts that each of them runs.
LIFECYCLE = {
    "t": ("test",),
    "tst": ("test",),
    **dict.fromkeys(("i", "install", "add", "ci", "in", "it", "rebuild"), ("install", "prepare", "prepublish")),
    **dict.fromkeys(("pack", "publish"), ("prepare", "prepublishOnly", "prepack", "pack", "publish")),
    "version": ("version",),
    "restart": ("stop", "restart", "start"),
}
_BUN = frozenset({"bun", "bunx"})
_DOTENV = frozenset({"dotenv", "dotenvx", "dotenv-cli", "env-cmd", "dotenv-flow"})
_CLEARING = frozenset({"sudo", "doas"})
#: Programs whose options we interpret.
TOOLS = (
    RUNNERS
    | ASSIGNING
    | _BUN
    | _DOTENV
    | {"npx", "pnpx", "node", "nodejs", "tsx", "ts-node", "deno", "nice", "timeout", "sh", "bash", "zsh", "dash", "ksh"}
)
#: Programs that append words from standard input to their command.
FROM_INPUT = frozenset({"xargs", "parallel"})
#: Words before a command whose changes to the environment are all known to us.
KNOWN = (
    TOOLS
    | FROM_INPUT
    | {
        "exec",
        "x",
        "dlx",
        "run",
        "run-script",
        "rum",
        "urn",
        "command",
        "nohup",
        "setsid",
        "time",
        "stdbuf",
        "corepack",
    }
) - {""}

_FOLDER = {
    **dict.fromkeys(("npm", "npx"), frozenset({"--prefix", "-C"})),
    **dict.fromkeys(("pnpm", "pnpx"), frozenset({"--dir", "-C", "--prefix"})),
    **dict.fromkeys(("yarn", "bun", "bunx", "turbo"), frozenset({"--cwd"})),
    "env": frozenset({"--chdir", "-C"}),
}
#: Options that choose a package of the workspace. The word after them is still read as the name of a script.
_WORKSPACE = frozenset(
    {
        "--workspace", "-w", "--filter", "-F", "--filter-prod", "--scope", "--projects", "--workspaces", "-ws", "-r",
        "--recursive", "--workspace-root", "-A", "--all",
    }
)  # fmt: skip
_PACKAGE = frozenset({"--package", "-p"})
#: Options whose value is the next word, where the value does not matter here.
_VALUED = {
    **dict.fromkeys(("npm", "npx", "pnpm", "pnpx", "yarn", "bun", "bunx"), _PACKAGE),
    "nice": frozenset({"-n"}),
    "timeout": frozenset({"-s", "-k", "--signal", "--kill-after"}),
    **dict.fromkeys(("sudo", "doas"), frozenset({"-u", "-g", "-C", "--user", "--group"})),
    "env": frozenset({"-u", "--unset"}),
}


def entering(name: str, context: Context) -> Context:
    """The context of a command that the program `name` starts, without regard to the program's options."""
    if name in _CLEARING:
        return context.reading()
    if name in _BUN:
        return context.reading(".env.local", ".env.{NODE_ENV}", ".env.{NODE_ENV}.local")
    if name in _DOTENV:
        return context.reading(".env")
    if name in ("yarn", "yarnpkg"):
        return context.reading(".env.yarn")
    return context


def tool(name: str, before: str) -> str:
    """The program that options after the word `name` belong to: `name` itself, or the program before it."""
    if name in ("exec", "x", "dlx"):  # these take a program, never the name of a script
        return "npx"
    return name if name in TOOLS else before


def is_package(word: str) -> bool:
    """Whether the value of this option is a package to install, not a command."""
    return word in _PACKAGE


def option(tool: str, word: str, following: str, context: Context) -> tuple[Context, bool]:
    """The context after an option of `tool`, and whether the word after the option is its value."""
    name, equals, value = word.partition("=")
    apart = not equals
    value = following if apart else value
    if name in _FOLDER.get(tool, ()):
        return context.within(value), apart
    if tool in _DOTENV:
        return _dotenv(name, value, context, apart=apart)
    if re.fullmatch(r"--env-file(?:-if-exists)?", name):
        return context.reading(value), apart
    if tool == "env" and re.match(r"-(?:$|[iu]|-unset|-ignore)", name):
        return context.reading(), apart and name in _VALUED["env"]
    if name in _WORKSPACE and tool in RUNNERS | {"npx", "pnpx"}:
        return context.within(None), False
    return context, apart and name in _VALUED.get(tool, ())


def _dotenv(name: str, value: str, context: Context, *, apart: bool) -> tuple[Context, bool]:
    if name in ("-e", "-f", "--file", "--env-file", "--path", "--env"):
        return context.reading(*re.split(r"[,\s]+", value)), apart
    if name == "-v":
        return context.assigning(value), apart
    if name == "-c":
        named = re.fullmatch(r"[A-Za-z][\w-]*", value) is not None
        cascade = (".env.local", *((f".env.{value}", f".env.{value}.local") if named else ()))
        return context.reading(*cascade), apart and named
    return context, False
