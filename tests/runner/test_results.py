"""The counts of script/test are those of the reports; nothing that failed is lost."""

import pathlib

from results import Outcome, from_ctest, from_junit

REPORT = """<testsuites><testsuite>
<testcase classname="a" name="good"/>
<testcase classname="a" name="bad"><failure message="x"/></testcase>
<testcase classname="a" name="broken"><error message="x"/></testcase>
<testcase classname="a" name="left_out"><skipped message="x"/></testcase>
<testcase classname="a" name="DISABLED_one" status="notrun"/>
</testsuite></testsuites>"""


def test_counts_of_a_report(tmp_path: pathlib.Path):
    file = tmp_path / "report.xml"
    file.write_text(REPORT)
    assert from_junit(file) == Outcome(1, ["a.bad", "a.broken"], ["a.left_out"])


def test_a_missing_or_truncated_report_is_a_failure(tmp_path: pathlib.Path):
    assert len(from_junit(tmp_path / "none.xml").failed) == 1
    truncated = tmp_path / "half.xml"
    truncated.write_text(REPORT[:60])
    assert len(from_junit(truncated).failed) == 1
    assert len(from_ctest(tmp_path / "none.xml", tmp_path).failed) == 1


def ctest_report(tmp_path: pathlib.Path, *cases: tuple[str, str]) -> pathlib.Path:
    file = tmp_path / "ctest.xml"
    lines = [f'<testcase name="{name}" status="{status}"/>' for name, status in cases]
    file.write_text(f"<testsuite>{''.join(lines)}</testsuite>")
    return file


def test_programs_count_by_their_own_reports(tmp_path: pathlib.Path):
    report = ctest_report(tmp_path, ("a_test", "fail"), ("replay", "run"), ("other", "fail"))
    (tmp_path / "a_test.xml").write_text(REPORT)
    outcome = from_ctest(report, tmp_path)
    assert outcome.passed == 2
    assert outcome.failed == ["a.bad", "a.broken", "other: crashed, leaked or raced"]


def test_a_program_that_fails_after_its_tests_passed_is_a_failure(tmp_path: pathlib.Path):
    report = ctest_report(tmp_path, ("a_test", "fail"))
    (tmp_path / "a_test.xml").write_text('<t><testcase classname="a" name="good"/></t>')
    assert from_ctest(report, tmp_path).failed == ["a_test: crashed, leaked or raced"]


def test_programs_that_did_not_run_and_empty_reports_are_failures(tmp_path: pathlib.Path):
    assert from_ctest(ctest_report(tmp_path, ("a_test", "notrun")), tmp_path).failed
    assert from_ctest(ctest_report(tmp_path), tmp_path).failed == ["ctest.xml: no tests"]


def test_totals_are_one_line():
    assert Outcome(3).totals() == "3 passed, 0 failed, 0 skipped"
    assert Outcome(3, ["a"], ["b", "c"]).totals() == "3 passed, 1 failed, 2 skipped"
