"""The audit's table: a line per property, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crossfade.audit.checks import CHECKS, CONTRACT, NotApplicable
from crossfade.audit.subject import Subject


@dataclass(frozen=True)
class Finding:
    """One property of one subject."""

    check: str
    verdict: Literal["pass", "FAIL", "–"]
    detail: str = ""


def audit(subject: Subject, checks: Iterable[str] = tuple(CHECKS)) -> list[Finding]:
    """The properties of a subject. A check that raises has failed: the model could not do what was asked of it.

    Where it breaks the contract of a fusion, nothing else can be asked of it.
    """
    checks = list(checks)
    if CONTRACT in checks and (first := _finding(CONTRACT, subject)).verdict == "FAIL":
        return [first, *(Finding(name, "–", "it breaks the contract") for name in checks if name != CONTRACT)]
    return [_finding(name, subject) for name in checks]


def _finding(name: str, subject: Subject) -> Finding:
    try:
        fault = CHECKS[name](subject)
    except NotApplicable as reason:
        return Finding(name, "–", str(reason))
    except Exception as error:  # of the audited code, whatever it is
        first = (str(error).strip() or "no message").splitlines()[0]
        return Finding(name, "FAIL", f"{type(error).__name__}: {first}")
    return Finding(name, "FAIL" if fault else "pass", fault)


def show(findings: dict[str, list[Finding]], console: Console | None = None) -> bool:
    """Print all subjects; one alone in full, of several a line each and their failures. True where nothing failed."""
    console = console or Console()
    failed = {name: [f for f in found if f.verdict == "FAIL"] for name, found in findings.items()}
    if len(findings) == 1:
        ((name, found),) = findings.items()
        table = Table(title=f"audit · {name}", title_justify="left", box=box.SIMPLE_HEAD)
        for heading in ("property", "", ""):
            table.add_column(heading)
        for f in found:
            style = {"pass": "green", "FAIL": "bold red"}.get(f.verdict, "dim")
            table.add_row(f.check, f"[{style}]{f.verdict}[/]", escape(f.detail))
        console.print(table)
    else:
        table = Table(title="audit", title_justify="left", box=box.SIMPLE_HEAD)
        for heading in ("", "passed", "failed"):
            table.add_column(heading, justify="right" if heading else "left")
        for name, found in findings.items():
            passed, style = sum(f.verdict == "pass" for f in found), "bold red" if failed[name] else "green"
            table.add_row(name, str(passed), f"[{style}]{len(failed[name])}[/]")
        console.print(table)
        for name, faults in failed.items():
            for f in faults:
                console.print(f"{name}: {f.check}: {f.detail}", markup=False, highlight=False, soft_wrap=True)
    return not any(failed.values())
