"""Runs every rule over the tree. A failure names file, line and what to change."""

from fnmatch import fnmatch

import pytest
from documents import dead_links, option_keys, undocumented_options, untested_rows
from rules import RULES, named_paths
from source import ROOT, tree

SOURCES = tree()
BY_PATH = {source.path: source for source in SOURCES}
OPTION_ROWS = "src/app/*_rows.cc"
INTEROPERABILITY = "doc/interoperability.md"
MANUAL = "doc/manual/configuration.md"


def _report(findings) -> None:
    lines = [f"{path}:{line}: {what}" for path, line, what in findings]
    assert not lines, "\n" + "\n".join(lines)


def test_the_tree_is_not_empty():
    assert len([source for source in SOURCES if source.in_src]) > 10


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule(rule):
    _report((s.path, line, what) for s in SOURCES for line, what in rule(s))


def test_paths_named_in_comments_exist():
    def exists(path: str) -> bool:
        return path in BY_PATH or (ROOT / path).exists()

    _report((s.path, line, what) for s in SOURCES for line, what in named_paths(s, exists))


def test_markdown_links_lead_somewhere():
    _report((s.path, line, what) for s in SOURCES for line, what in dead_links(s, BY_PATH))


def test_every_option_is_documented():
    table = "".join(s.text for s in SOURCES if fnmatch(s.path, OPTION_ROWS))
    assert len(option_keys(table)) > 5, "the option table is not written as this rule expects"
    missing = undocumented_options(table, BY_PATH[MANUAL].text)
    assert not missing, f"{MANUAL} does not describe: {', '.join(missing)}"


def test_every_row_about_servers_and_clients_has_a_test():
    page = BY_PATH[INTEROPERABILITY]
    assert page.text.count("\n|") > 10, "the page's tables are not written as this rule expects"
    _report((page.path, line, what) for line, what in untested_rows(page, BY_PATH))
