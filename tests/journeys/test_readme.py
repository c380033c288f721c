"""What the README has a newcomer paste works as it stands there."""

import os
import re
import subprocess

import pytest

from ops.local.layout import DEFAULT_BASE, ROOT
from ops.local.stack import Stack

pytestmark = pytest.mark.journey
# The last line of the first block looks a second later, which a busy machine may not make.
_PAID = """
order() { curl -s $EDGE/v1/orders/$(echo "$ORDER" | field result.order_id) -H "$AUTH"; }
for _ in $(seq 120); do
    if [ "$(order | field payment.status)" = SUCCEEDED ]; then break; fi
    sleep 0.5
done
echo; echo ---
order | python3 -m json.tool
echo ---
"""
_BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)


def pasted(system: Stack, *blocks: str) -> str:
    """Run the blocks in one shell, on this system's edge; return all that is written."""
    here, there = f"127.0.0.1:{DEFAULT_BASE}", f"127.0.0.1:{system.layout.port('edge')}"
    done = subprocess.run(
        ["/bin/bash", "-e"],
        input="\n".join(blocks).replace(here, there).replace("wait=5", "wait=10"),
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_ticket_is_bought_and_seats_are_ordered(system: Stack) -> None:
    buying, seating = _BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    told = pasted(system, buying, _PAID, seating)
    _, ticket, seats = told.split("---\n")
    assert '"status": "CONFIRMED"' in ticket, ticket
    assert '"status": "SUCCEEDED"' in ticket, ticket
    assert '"AWAITING_PAYMENT"' in seats, seats
    assert "RR" in seats, seats
