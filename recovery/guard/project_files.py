"""What schema.prisma and prisma.config say of the URLs that Prisma works on, read as text. Pure.

Elsewhere what a pattern misses is noticed by a proof. Here nothing comes after it, so what is not understood is told.
"""

import re
from dataclasses import dataclass

from recovery.prisma.sources import every_variable

_COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
_SETTING = re.compile(
    r"""^\s*(?:url|directUrl|shadowDatabaseUrl)\s*=\s*
        (?:env\(\s*(?:"(?P<variable>[^"]*)"|'(?P<quoted>[^']*)')\s*\)|"(?P<literal>(?:[^"\\]|\\.)*)"|(?P<other>\S.*))""",
    re.MULTILINE | re.VERBOSE,
)
_LITERAL = re.compile(r"""["'`]([a-z][a-z+]*:(?://)?[^"'`\s]+)["'`]""", re.IGNORECASE)
_ENV_FILE = re.compile(r"""["'`]((?:[^"'`\n]*/)?[^"'`/\n]*\.?env[^"'`/\n]*)["'`]""")
_IMPORT = re.compile(r"""(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\s*\(\s*)(?:"([^"]*)"|'([^']*)'|`([^`]*)`)""")
#: Packages that give no variable another value, but from `.env` files that are named where they are called.
_PLAIN = frozenset(
    {"prisma/config", "@prisma/config", "@prisma/adapter-pg", "dotenv", "dotenv/config", "node:path", "path", "pg"}
    | {"node:url", "url", "node:process", "process", "prisma", "@prisma/client"}
)
#: What may make a value that stands nowhere in the text, and what it is called in a message.
_COMPUTING = (
    (r"process\s*\.\s*env(?!\s*(?:\?\.|\.)\s*\w|\s*(?:\?\.)?\[\s*[\"'`]\w+[\"'`]\s*\])|\benv\((?!\s*[\"'`]\w+[\"'`]\s*\))",
     "reads variables whose names can't be told"),
    (r"\bprocess\b(?!\s*\.\s*(?:env|cwd|exit|platform|argv)\b|\s+from\b|[\"'`])|\bimport\.meta\b|\b(?:Bun|Deno)\b",
     "reads the environment by another name"),
    (r"(?<![\w.\"'`/])env\s*(?:\?\.|\.|\[)", "reads the environment by another name"),
    (r"\$\{|[\"'`]\s*\+|\+\s*[\"'`]|\.(?:replace|replaceAll|concat|slice|substring)\(", "puts a text together"),
    (r"\.(?:host|hostname|pathname|href|port)\s*=[^=]", "changes a URL"),
    (r"\b(?:readFile\w*|loadEnvFile|fetch|eval|Function|exec\w*|spawn\w*|atob)\s*\(|\bBuffer\b",
     "runs code that can't be followed"),
    (r"\b(?:require|import)\s*\(\s*[^\"'`\s]", "imports what can't be told"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NamedUrls:
    """What a file says of URLs.

    Attributes:
        variables: environment variables that may hold one.
        literals: what is written out. Secret.
        files: `.env` files that it names.
        layered: variables of files may come before those of the environment.
        unclear: why there may be more.
    """

    variables: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    layered: bool = False
    unclear: tuple[str, ...] = ()


def of_schema(text: str) -> NamedUrls:
    """The URLs of a datasource; that of the shadow database too, which `migrate dev` empties."""
    variables, literals, unclear = [], [], []
    for match in _SETTING.finditer(_COMMENT.sub("", text)):
        if match["literal"] is not None:
            literals.append(match["literal"])
        elif match["other"] is not None:
            unclear.append("the schema's URL is neither a text nor a variable")
        else:
            variables.append(match["variable"] or match["quoted"] or "")
    return NamedUrls(tuple(variables), tuple(literals), unclear=tuple(unclear))


def of_config(text: str, name: str) -> NamedUrls:
    """What prisma.config reads; every variable counts, since which of them it takes is decided by code."""
    text = _COMMENT.sub("", text)
    imported = {a or b or c for a, b, c in _IMPORT.findall(text)} - _PLAIN
    files = tuple(each for each in _ENV_FILE.findall(text) if each not in imported | _PLAIN)
    unclear = [f"{name} imports {each}" for each in sorted(imported)]
    unclear += [f"{name} {what}" for pattern, what in _COMPUTING if re.search(pattern, text)]
    return NamedUrls(
        every_variable(text),
        tuple(_LITERAL.findall(text)),
        files,
        layered=bool(files) or "override" in text,
        unclear=tuple(unclear),
    )
