"""The URLs that schema.prisma and prisma.config name, read as text by patterns. Pure.

A recovery proves later where Prisma goes, so a pattern may miss something there. Guard proves nothing later, so here
each part of a file that the patterns don't cover is reported as unclear.
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
#: Packages that change no variable, except from the `.env` files that are named where the package is called.
_PLAIN = frozenset(
    {"prisma/config", "@prisma/config", "@prisma/adapter-pg", "dotenv", "dotenv/config", "node:path", "path", "pg"}
    | {"node:url", "url", "node:process", "process", "prisma", "@prisma/client"}
)
#: Patterns for code that may compute a value which is not in the text, and how a message names such code.
_COMPUTING = (
    (r"process\s*\.\s*env(?!\s*(?:\?\.|\.)\s*\w|\s*(?:\?\.)?\[\s*[\"'`]\w+[\"'`]\s*\])|\benv\((?!\s*[\"'`]\w+[\"'`]\s*\))",
     "reads variables whose names are not written out"),
    (r"\bprocess\b(?!\s*\.\s*(?:env|cwd|exit|platform|argv)\b|\s+from\b|[\"'`])|\bimport\.meta\b|\b(?:Bun|Deno)\b",
     "reads the environment by another name"),
    (r"(?<![\w.\"'`/])env\s*(?:\?\.|\.|\[)", "reads the environment by another name"),
    (r"\$\{|[\"'`]\s*\+|\+\s*[\"'`]|\.(?:replace|replaceAll|concat|slice|substring)\(", "computes a text"),
    (r"\.(?:host|hostname|pathname|href|port)\s*=[^=]", "changes a URL"),
    (r"\b(?:readFile\w*|loadEnvFile|fetch|eval|Function|exec\w*|spawn\w*|atob)\s*\(|\bBuffer\b",
     "runs code that can't be followed"),
    (r"\b(?:require|import)\s*\(\s*[^\"'`\s]", "imports a module whose name is computed"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NamedUrls:
    """The URLs that a file names.

    Attributes:
        variables: environment variables that may hold a URL.
        literals: URLs that are written out. Secret.
        files: `.env` files that the file names.
        layered: variables of files may win over those of the environment.
        unclear: reasons why there may be further URLs.
    """

    variables: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    layered: bool = False
    unclear: tuple[str, ...] = ()


def of_schema(text: str) -> NamedUrls:
    """The URLs of a schema's datasource, with that of the shadow database, which `migrate dev` empties."""
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
    """The URLs that prisma.config may use; every variable in it counts, since code decides which one it takes."""
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
