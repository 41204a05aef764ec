"""Rules about documents: links that lead somewhere, options that are described, claims that are
tested."""

import re
from pathlib import PurePosixPath
from typing import Iterator

from source import Source

Finding = tuple[int, str]

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!\\)\[[^\]\n]*\]\(<?([^()\s>]+)>?(?:\s+\"[^\"]*\")?\)")


def _blank(match: re.Match) -> str:
    return re.sub(r"[^\n]", " ", match.group())


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, formed as code hosts form them."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", _FENCE.sub(_blank, text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = 1
        unique = slug
        while unique in found:
            unique = f"{slug}-{number}"
            number += 1
        found.add(unique)
    return found


def _normalise(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            if not parts:
                return ".."  # outside the repository
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def dead_links(source: Source, tree: dict[str, Source]) -> Iterator[Finding]:
    if not source.path.endswith(".md"):
        return
    directories = {parent.as_posix() for path in tree for parent in PurePosixPath(path).parents}
    for match in _LINK.finditer(_FENCE.sub(_blank, source.text)):
        target = match.group(1)
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue  # the network is not asked
        path, _, fragment = target.partition("#")
        resolved = _normalise(PurePosixPath(source.path).parent / path) if path else source.path
        line = source.line_at(match.start())
        if resolved not in tree and (resolved or ".") not in directories:
            yield line, f"{target} points nowhere"
        elif fragment and resolved in tree and resolved.endswith(".md"):
            if fragment not in anchors(tree[resolved].text):
                yield line, f"{target}: no such heading"


def option_keys(table: str) -> list[str]:
    return re.findall(r'\.key\s*=\s*"([^"]+)"', table)


def documented_options(manual: str) -> set[str]:
    """Keys that have a heading (### `key`) below that of their section (## `[section]`), or of what
    their table is (## `listener`)."""
    found, section = set(), ""
    for heading in re.finditer(r"^(##|###) (.+)$", _FENCE.sub(_blank, manual), re.MULTILINE):
        name = heading.group(2).strip("`")
        if heading.group(1) == "##":
            named = re.fullmatch(r"\[{1,2}([\w.]+)\]{1,2}|(listener)", name)
            section = f"{named.group(1) or named.group(2)}." if named else ""
        else:
            found.add(section + name)
    return found


def undocumented_options(table: str, manual: str) -> list[str]:
    """Keys of the option table that the manual does not describe."""
    documented = documented_options(manual)
    return [key for key in option_keys(table) if key not in documented]


_ROW_TEST = re.compile(r"`(test_\w+\.py)(?:::(\w+))?(?:\[([\w-]+)\])?`")


def untested_rows(page: Source, tree: dict[str, Source]) -> Iterator[Finding]:
    """Rows of a page's tables whose last cell names no test of tests/integration that is there:
    `FILE::FUNCTION[PARAMETER]`, of which the file must be given. A parameter is a string in the
    file or in the harness."""
    harness = "".join(source.text for path, source in sorted(tree.items())
                      if path.startswith("tests/integration/harness/"))
    for number, line in enumerate(page.lines, 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or set(line) <= set("|-: ") or cells[-1] == "test":
            continue
        named = _ROW_TEST.fullmatch(cells[-1])
        if named is None:
            yield number, "the row names no test"
            continue
        file, function, parameter = named.groups()
        text = tree.get(f"tests/integration/{file}", Source("", "")).text
        if not text or (function and f"def {function}(" not in text):
            yield number, f"{cells[-1]} does not exist"
        elif parameter and f'"{parameter}"' not in text + harness:
            yield number, f"{cells[-1]}: no such parameter"
