"""What the edge answers while the broker is in trouble."""

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Self

import httpx

from ops.chaos.buyers import Crowd

_ACCEPTED, _UNAVAILABLE = 202, 503
_PAUSE_SEC = 0.1


@dataclass(frozen=True)
class Answer:
    """One answer to one write."""

    asked_at: float
    """On the monotonic clock."""
    took_sec: float
    status: int
    retry_after: str | None

    @property
    def accepted(self) -> bool:
        """Whether the command is on the bus."""
        return self.status == _ACCEPTED

    @property
    def refused_well(self) -> bool:
        """Whether it says that it could not be accepted, and when to come again."""
        return self.status == _UNAVAILABLE and bool(self.retry_after)


@dataclass
class Probe:
    """Places orders all the time, one after the other, never repeating, and notes each answer."""

    crowd: Crowd
    answers: list[Answer] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def wait_for(self, status: int, within_sec: float) -> Answer | None:
        """Wait for an answer with this status to a question asked from now on."""
        asked_from = time.monotonic()
        while time.monotonic() < asked_from + within_sec:
            for each in reversed(self.answers):
                if each.asked_at >= asked_from and each.status == status:
                    return each
            time.sleep(0.02)
        return None

    def between(self, begin: float, end: float) -> list[Answer]:
        """Return the answers to what was asked between two moments."""
        return [each for each in self.answers if begin <= each.asked_at <= end]

    def _run(self) -> None:
        with httpx.Client(base_url=self.crowd.edge, timeout=15) as http:
            while not self._stopping.wait(_PAUSE_SEC):
                self.answers.append(self._ask(http))

    def _ask(self, http: httpx.Client) -> Answer:
        asked_at = time.monotonic()
        answer = http.post(
            "/v1/orders",
            json={"ticket_id": self.crowd.tickets[0], "quantity": 1},
            headers={
                "authorization": f"Bearer {self.crowd.accounts[0].token}",
                "idempotency-key": uuid.uuid4().hex,
            },
        )
        if answer.status_code == _ACCEPTED:
            self.crowd.accepted.add(answer.json()["id"])
        return Answer(
            asked_at,
            time.monotonic() - asked_at,
            answer.status_code,
            answer.headers.get("retry-after"),
        )
