"""Counts of a test run, read from the reports the test programs write."""

import pathlib
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """What one section did. failed and skipped name the items."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, other: "Outcome") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def totals(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def _cases(file: pathlib.Path) -> list[ElementTree.Element]:
    return list(ElementTree.parse(file).getroot().iter("testcase"))


def from_junit(file: pathlib.Path) -> Outcome:
    """pytest's and GoogleTest's reports. A report that is not there counts as one failure."""
    outcome = Outcome()
    try:
        cases = _cases(file)
    except (OSError, ElementTree.ParseError) as error:
        return Outcome(failed=[f"{file.name}: no report ({error})"])
    for case in cases:
        name = f"{case.get('classname', '')}.{case.get('name', '')}".lstrip(".")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed.append(name)
        elif case.find("skipped") is not None:
            outcome.skipped.append(name)
        elif case.get("status") != "notrun":  # GoogleTest lists its disabled tests
            outcome.passed += 1
    return outcome


def from_ctest(report: pathlib.Path, details: pathlib.Path) -> Outcome:
    """ctest's report of programs; a program that left a report of its own counts by its tests.

    A program that failed although no test of its report did has crashed, leaked or raced.
    """
    outcome = Outcome()
    try:
        programs = _cases(report)
    except (OSError, ElementTree.ParseError) as error:
        return Outcome(failed=[f"{report.name}: no report ({error})"])
    for program in programs:
        name = program.get("name", "")
        detail = details / f"{name}.xml"
        inside = from_junit(detail) if detail.exists() else Outcome()
        if program.get("status") == "run":
            outcome.add(inside if detail.exists() else Outcome(passed=1))
        elif program.get("status") in ("notrun", "disabled"):
            outcome.failed.append(f"{name}: did not run")
        else:
            outcome.add(inside)
            if not inside.failed:
                outcome.failed.append(f"{name}: crashed, leaked or raced")
    if not programs:
        outcome.failed.append(f"{report.name}: no tests")
    return outcome
