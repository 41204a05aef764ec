"""The rules about the source that run as a test. Each takes one file and yields (line, what).

tests/tidy/test_rules.py shows for every rule an example that breaks it; tests/tidy/test_tree.py
runs all of them over the tree.
"""

import ast
import re
from typing import Callable, Iterator

from source import Source

Finding = tuple[int, str]
Rule = Callable[[Source], Iterator[Finding]]

LINE_COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500

# A directory may include those named here and itself. cache, policy and transport stand side by
# side. What a layer may include is what its CMake target may link.
_BELOW_UPSTREAM = {"base", "dns", "cache", "policy", "transport"}
LAYERS = {
    "base": set(),
    "dns": {"base"},
    "cache": {"base", "dns"},
    "policy": {"base", "dns"},
    "transport": {"base", "dns"},
    "upstream": _BELOW_UPSTREAM,
    "forwarder": _BELOW_UPSTREAM | {"upstream"},
    "frontend": _BELOW_UPSTREAM | {"upstream", "forwarder"},
    "admin": _BELOW_UPSTREAM | {"upstream", "forwarder", "frontend"},
    "app": _BELOW_UPSTREAM | {"upstream", "forwarder", "frontend", "admin"},
}

# Files outside *_io.* that may do I/O: app/ wires event loops to everything else.
IO_BY_NAME = {"src/app/"}


def _matches(source: Source, text: str, pattern: str, what: str) -> Iterator[Finding]:
    for match in re.finditer(pattern, text):
        yield source.line_at(match.start()), f"{match.group().strip()}: {what}"


def layer_order(source: Source) -> Iterator[Finding]:
    if not source.in_src or not source.layer:
        return
    if source.layer not in LAYERS:
        yield 1, f"src/{source.layer}/ is not a layer of the design"
        return
    allowed = LAYERS[source.layer] | {source.layer}
    for match in re.finditer(r'^#include "([^"]+)"', source.text, re.MULTILINE):
        included = match.group(1)
        target = included.split("/", 1)[0]
        if "/" not in included:
            yield source.line_at(match.start()), f'"{included}" does not name its directory'
        elif target not in allowed:
            yield source.line_at(match.start()), f"{source.layer}/ must not include {included}"


def io_only_at_the_rim(source: Source) -> Iterator[Finding]:
    if not source.in_src or source.stem.endswith("_io"):
        return
    if any(source.path.startswith(allowed) for allowed in IO_BY_NAME):
        return
    pattern = (r"#include <(poll|sys/(socket|epoll|eventfd|timerfd))\.h>[^\n]*"
               r"|::(epoll_\w+|recvm?msg|sendm?msg)\(")
    yield from _matches(source, source.code, pattern, "I/O belongs into files named *_io")


def line_length(source: Source) -> Iterator[Finding]:
    if not (source.is_cpp or source.is_python or source.is_shell or source.is_cmake):
        return
    for number, line in enumerate(source.lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            yield number, f"{len(line)} columns, {LINE_COLUMNS_MAX} are allowed"


def file_length(source: Source) -> Iterator[Finding]:
    if not (source.is_cpp or source.is_python or source.is_shell):
        return
    count = source.text.count("\n")
    if count > FILE_LINES_MAX:
        yield FILE_LINES_MAX + 1, f"{count} lines, {FILE_LINES_MAX} are allowed"


def _closing_brace(code: str, opening: int) -> int:
    depth = 0
    for match in re.compile(r"[{}]").finditer(code, opening):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.start()
    return len(code)


# What stands before the brace of a function: a closed parameter list and what may follow it.
_FUNCTION_HEAD = re.compile(
    r"\)\s*(?:const|noexcept(?:\([^()]*\))?|override|final|mutable|&&?|->[^;{}=]*|requires[^;{}]*"
    r"|:\s[^;]*|\s)*$"
)
_SCOPE_HEAD = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b[^;()=]*$")


def _cpp_functions(source: Source) -> Iterator[tuple[int, int]]:
    """Offsets of the outermost function bodies. What lies in a function belongs to it."""
    code = re.sub(r"^[ \t]*#.*$", lambda m: " " * len(m.group()), source.code, flags=re.MULTILINE)
    position = head = 0
    while match := re.compile(r"[;{}]").search(code, position):
        position = match.end()
        if match.group() == "{":
            before = code[head : match.start()]
            if _SCOPE_HEAD.search(before):
                pass  # look inside
            elif _FUNCTION_HEAD.search(before):
                position = _closing_brace(code, match.start()) + 1
                yield head + len(before) - len(before.lstrip()), position
            else:  # an initialiser: a table of lambdas is no function
                position = _closing_brace(code, match.start()) + 1
        head = position


def function_length(source: Source) -> Iterator[Finding]:
    if source.is_cpp:
        for begin, end in _cpp_functions(source):
            first, last = source.line_at(begin), source.line_at(end - 1)
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield first, f"function of {last - first + 1} lines, {FUNCTION_LINES_MAX} allowed"
    elif source.is_python:
        for node in ast.walk(ast.parse(source.text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                count = node.end_lineno - node.lineno + 1
                if count > FUNCTION_LINES_MAX:
                    yield node.lineno, f"function of {count} lines, {FUNCTION_LINES_MAX} allowed"


def clock_reads(source: Source) -> Iterator[Finding]:
    if not source.in_src or source.path.startswith("src/base/clock."):
        return
    pattern = (
        r"_clock::now\b|\bclock_gettime\b|\bgettimeofday\b"
        r"|\b(?:std::)?time\((?:nullptr|0|NULL)\)"
    )
    yield from _matches(source, source.code, pattern, "time is a parameter; see base/clock.h")


def random_sources(source: Source) -> Iterator[Finding]:
    if not source.in_src or source.path.startswith("src/base/random."):
        return
    pattern = (
        r"\brandom_device\b|\bgetrandom\b|\bgetentropy\b|\bgnutls_rnd\b|\bmt19937\w*|\bs?rand\("
        r"|\barc4random\w*|/dev/u?random"
    )
    yield from _matches(
        source, source.code_with_literals, pattern, "randomness is a parameter; see base/random.h"
    )


def threads(source: Source) -> Iterator[Finding]:
    if not source.in_src or source.layer in ("app", "admin"):
        return
    pattern = r"\bstd::(?:jthread|thread|async)\b|\bpthread_create\b|#include <thread>"
    yield from _matches(source, source.code, pattern, "threads start in app/ and admin/ only")


# Spelled in two parts, so that the rule does not find itself.
_UNFINISHED = r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"


def unfinished(source: Source) -> Iterator[Finding]:
    if not (source.is_cpp or source.is_python or source.is_shell or source.is_cmake):
        return
    yield from _matches(source, source.text, _UNFINISHED, "finish it or leave it out")


# STYLE names the words we use; these are the ones it replaces. Types are named after what they
# are, which manager, handler and util never say.
_WORDS = r"(?i)down" + r"stream|back" + r"end"
_NAMELESS = r"(?:\w*(?:Manager|Handler|Helper|Utils?|Reply|Request))"
_TYPES = r"(?<!<)(?<!, )\b(?:class|struct)\s+" + _NAMELESS + r"\b"


def words(source: Source) -> Iterator[Finding]:
    if not source.in_src:
        return
    yield from _matches(source, source.text, _WORDS, "the word is upstream, client or frontend")
    yield from _matches(source, source.code, _TYPES, "say what it is")
    if re.search(r"(?:^|_)(?:manager|handler|helpers?|utils?|misc|common)(?:_|$)", source.stem):
        yield 1, "the file's name does not say what it is"


def file_head(source: Source) -> Iterator[Finding]:
    """A header says what it is before anything else."""
    if source.in_src and source.path.endswith(".h") and not source.text.startswith("// "):
        yield 1, "begins without a comment that says what it is"


def named_paths(source: Source, exists: Callable[[str], bool]) -> Iterator[Finding]:
    """A test or document that a comment names is there."""
    if not source.in_src:
        return
    for match in re.finditer(r"\b(?:tests|doc|script)/[\w/.-]*\w\.(?:cc|h|py|md)\b", source.text):
        if not exists(match.group()):
            yield source.line_at(match.start()), f"{match.group()} does not exist"


RULES: list[Rule] = [
    layer_order,
    io_only_at_the_rim,
    line_length,
    file_length,
    function_length,
    clock_reads,
    random_sources,
    threads,
    unfinished,
    words,
    file_head,
]
