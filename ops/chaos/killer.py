"""Whom the kill test kills."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Collection

from ops.local import procfile
from ops.local.stack import Stack
from ops.local.supervision import children


class Killer:
    """Kills one process of ours at a time, never a server, never before it lives again."""

    def __init__(self, stack: Stack, rng: random.Random, spared: Collection[str]) -> None:
        """`spared` are process types that are left alone."""
        self._stack = stack
        self._rng = rng
        self._spared = {*spared}
        self.killed: Counter[str] = Counter()

    def kill(self) -> str | None:
        """Kill one at random, a gunicorn's worker or its master alike; return its name."""
        known = [
            each
            for each in self._stack.status()
            if each.pid
            and (kind := procfile.type_of(each.name)) in procfile.lines()
            and kind not in self._spared
        ]
        if not known:
            return None
        chosen = self._rng.choice(sorted(known, key=lambda each: each.name))
        pid = self._rng.choice([chosen.pid, *children(chosen.pid)])
        name = chosen.name if pid == chosen.pid else f"{chosen.name}'s worker"
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        self.killed[name] += 1
        return name

    def all_live(self, deadline_sec: float) -> bool:
        """Wait until every process runs again; return whether they do."""
        deadline = time.monotonic() + deadline_sec
        while not all(each.pid for each in self._stack.status()):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True
