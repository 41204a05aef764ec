"""Every rule can fail: an example that breaks it, beside one that keeps it."""

import documents
import pytest
import rules
from source import Source

LONG = "x" * (rules.LINE_COLUMNS_MAX + 1)
BODY = "  a();\n" * rules.FUNCTION_LINES_MAX
MARK = "TO" + "DO"

# rule, path, text that breaks it, text that keeps it
CASES = [
    (rules.layer_order, "src/dns/a.h", '#include "cache/b.h"\n', '#include "base/b.h"\n'),
    (rules.layer_order, "src/cache/a.h", '#include "transport/b.h"\n', '#include "dns/b.h"\n'),
    (rules.layer_order, "src/base/a.h", '#include "dns/b.h"\n', '#include "base/b.h"\n'),
    (rules.layer_order,
     "src/forwarder/a.h", '#include "app/config.h"\n', '#include "upstream/b.h"\n'),
    (rules.layer_order, "src/frontend/a.h", '#include "a.h"\n', '#include "frontend/a.h"\n'),
    (rules.layer_order, "src/misc/a.h", "// A stray directory.\n", None),
    (rules.io_only_at_the_rim, "src/upstream/pool.h", "#include <sys/epoll.h>\n",
     "// epoll\n"),
    (rules.io_only_at_the_rim, "src/dns/a.cc", "::epoll_wait(a, b, 1, 0);\n", "int epoll;\n"),
    (rules.line_length, "src/dns/a.cc", f"// {LONG}\n", "// short\n"),
    (rules.line_length, "tests/a.py", f"# {LONG}\n", "# short\n"),
    (rules.file_length, "src/dns/a.cc", "\n" * 501, "\n" * 500),
    (rules.function_length, "src/dns/a.cc", f"int f(int a) {{\n{BODY}}}\n",
     "int f(int a) {\n  g();\n}\n"),
    (rules.function_length, "src/dns/a.cc", f"class A {{\n void f() const {{\n{BODY}}}\n}};\n",
     f"class A {{\n{BODY}}};\n"),
    (rules.function_length, "src/dns/a.cc",
     f"namespace s {{\nA::A(int b) : b_(b) {{\n{BODY}}}\n}}\n",
     f"namespace s {{\nvoid f() {{}}\n{BODY}}}\n"),
    (rules.function_length, "src/dns/a.cc", f"auto f() -> std::span<int> {{\n{BODY}}}\n",
     f"const Row rows[] = {{\n{BODY}}};\n"),
    (rules.function_length, "tests/a.py", "def f():\n" + "    g()\n" * 70, "def f():\n    g()\n"),
    (rules.clock_reads, "src/upstream/a.cc", "auto t = std::chrono::steady_clock::now();\n",
     "// steady_clock::now()\n"),
    (rules.clock_reads, "src/upstream/a.cc", "auto t = std::time(nullptr);\n",
     "auto t = runtime(x);\n"),
    (rules.random_sources, "src/upstream/a.cc", "std::random_device device;\n",
     "Random& random;\n"),
    (rules.random_sources, "src/upstream/a.cc", 'open("/dev/urandom");\n', "grand(1);\n"),
    (rules.threads, "src/upstream/a.cc", "std::thread t(run);\n", "std::this_thread::yield();\n"),
    (rules.threads, "src/upstream/a.cc", "std::jthread t(run);\n", "// std::jthread\n"),
    (rules.unfinished, "src/dns/a.cc", f"// {MARK}: finish\n", "// finished\n"),
    (rules.unfinished, "script/a", f"#!/bin/bash\n# {MARK}\n", "#!/bin/bash\n# done\n"),
    (rules.words, "src/dns/a.cc", "// the back" + "end\n", "// the upstream\n"),
    (rules.words, "src/dns/a.cc", "class QueryManager {};\n", "template <class Handler>\n"),
    (rules.words, "src/dns/string_utils.h", "// Strings.\n", None),
    (rules.file_head, "src/dns/a.h", "#pragma once\n", "// What it is.\n#pragma once\n"),
]


@pytest.mark.parametrize("rule, path, broken, kept", CASES)
def test_rule_can_fail(rule, path, broken, kept):
    assert list(rule(Source(path, broken))), "the rule let it pass"
    if kept is not None:
        assert not list(rule(Source(path, kept))), "the rule found what is not there"


def test_every_rule_has_an_example():
    assert {case[0] for case in CASES} == set(rules.RULES)


# path where the same text is allowed
EXCEPTIONS = [
    (rules.io_only_at_the_rim, "src/transport/stream_io.h", "#include <sys/socket.h>\n"),
    (rules.io_only_at_the_rim, "src/app/worker.cc", "#include <sys/socket.h>\n"),
    (rules.clock_reads, "src/base/clock.cc", "std::chrono::steady_clock::now();\n"),
    (rules.random_sources, "src/base/random.cc", "getrandom(p, n, 0);\n"),
    (rules.threads, "src/app/workers.cc", "std::thread t(run);\n"),
]


@pytest.mark.parametrize("rule, path, text", EXCEPTIONS)
def test_rule_knows_its_exceptions(rule, path, text):
    assert not list(rule(Source(path, text)))


def test_findings_carry_the_line():
    source = Source("src/dns/a.cc", "/* a\n b */\nstd::string s = R\"(\n)\";\nstd::thread t;\n")
    assert [line for line, _ in rules.threads(source)] == [5]


def test_digit_separators_are_not_characters():
    source = Source("src/dns/a.cc", "int a = 1'024; std::thread t; int b = 1'024;\n")
    assert list(rules.threads(source))


def test_named_paths():
    source = Source("src/dns/a.h", "// Test: tests/unit/dns/a_test.cc.\n")
    assert list(rules.named_paths(source, lambda path: False))
    assert not list(rules.named_paths(source, lambda path: path == "tests/unit/dns/a_test.cc"))


LINKS = [
    ("doc/a.md", "[b](b.md)", False),
    ("doc/a.md", "[b](c/b.md)", True),
    ("doc/a.md", "[b](c/b.md#two-words)", True),
    ("doc/a.md", "[b](c/b.md#three-words)", False),
    ("doc/a.md", "[b](../README.md)", True),
    ("doc/a.md", "[b](../../README.md)", False),
    ("doc/a.md", "[b](https://example.org/none)", True),
    ("doc/a.md", "# Here\n[b](#here)", True),
    ("doc/a.md", "# Here\n[b](#there)", False),
    ("README.md", "[b](doc/)", True),
    ("README.md", "```\n[b](nowhere.md)\n```", True),
]


@pytest.mark.parametrize("path, text, leads_somewhere", LINKS)
def test_links(path, text, leads_somewhere):
    tree = {
        "README.md": Source("README.md", ""),
        "doc/c/b.md": Source("doc/c/b.md", "# Two `words`\n"),
    }
    tree[path] = Source(path, text)
    assert (not list(documents.dead_links(tree[path], tree))) == leads_somewhere


def test_undocumented_options():
    table = '{.key = "listen.udp", .help = "x"}, {.key = "workers"}, {.key = "tcp.idle_timeout"}'
    manual = "## Top\n### `workers`\n## `[listen]`\n### `udp`\n"
    manual += "## `[[upstream]]`\n### `idle_timeout`\n"
    assert documents.undocumented_options(table, manual) == ["tcp.idle_timeout"]
    assert documents.undocumented_options(table, manual + "## `[tcp]`\n### `idle_timeout`\n") == []


ROWS = [
    ("`test_a.py`", True),
    ("`test_a.py[one]`", True),
    ("`test_a.py::test_it[one]`", True),
    ("`test_a.py::test_it[two]`", True),  # of the harness
    ("`test_a.py::test_it[three]`", False),
    ("`test_a.py::test_other`", False),
    ("`test_b.py`", False),
    ("by hand", False),
    ("", False),
]


@pytest.mark.parametrize("cell, is_tested", ROWS)
def test_untested_rows(cell, is_tested):
    tree = {
        "tests/integration/test_a.py": Source("", 'ALL = ["one"]\ndef test_it(each):\n'),
        "tests/integration/harness/a.py": Source("", 'OTHERS = {"two": 2}\n'),
    }
    page = Source("doc/a.md", f"| server | test |\n|---|---|\n| some | {cell} |\n")
    assert [line for line, _ in documents.untested_rows(page, tree)] == ([] if is_tested else [3])
