"""What verify prints."""

import sys
from collections.abc import Sequence

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.verify.finding import Finding

_MOST_NAMED = 20


def as_json(findings: Sequence[Finding], seconds: float) -> None:
    """One object: every line with all that is broken."""
    told = {
        "ok": not any(finding.broken for finding in findings),
        "seconds": round(seconds, 3),
        "lines": list(findings),
    }
    sys.stdout.write(orjson.dumps(told, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")


def as_table(findings: Sequence[Finding], seconds: float, base: int) -> None:
    """A table for people, then whatever is broken."""
    console = Console()
    table = Table(title=f"What must never break, on {base}", title_justify="left")
    table.add_column("line", justify="right")
    table.add_column("what must be")
    table.add_column("compared")
    table.add_column("")
    for finding in findings:
        verdict = (
            Text(f"{len(finding.broken)} broken", "bold red")
            if finding.broken
            else Text("holds", "green")
        )
        compared = [f"{number:,} {name}" for name, number in finding.compared.items()]
        table.add_row(
            finding.line, finding.title, "\n".join([*compared, *finding.notes[:5]]), verdict
        )
    console.print(table)
    for finding in findings:
        for broken in finding.broken[:_MOST_NAMED]:
            console.print(Text(f"line {broken.line}: {broken.id} {broken.why}", "red"))
        if (more := len(finding.broken) - _MOST_NAMED) > 0:
            console.print(Text(f"line {finding.line}: and {more} more (--json names all)", "red"))
    number = sum(len(finding.broken) for finding in findings)
    console.print(f"{number} broken" if number else "all hold", f"({seconds:.1f} s)")
