"""The switches for faults, and the dice that decide when one strikes.

A rate is a number from 0 to 1, a time is milliseconds or [least, most]; the calls' own switches
may name kinds of call instead: {"capture": 0.5, "*": 0.1}. What is not given is off.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

KINDS = frozenset(
    {
        *("create_intent", "retrieve_intent", "update_intent", "list_intents"),
        *("confirm", "capture", "cancel", "authenticate"),
        *("create_refund", "retrieve_refund", "update_refund", "list_refunds", "settle_refund"),
        *("retrieve_charge", "retrieve_method", "list_events", "retrieve_event"),
        "*",
    }
)
CALL_RATES = (
    "error_rate",
    "error_after_rate",
    "unavailable_rate",
    "rate_limit_rate",
    "reply_lost_rate",
    "no_balance_rate",
)
HOOK_RATES = ("doubled_rate", "late_rate", "dropped_rate", "out_of_order_rate")
OFF: dict[str, Any] = {
    "seed": None,
    "delay_ms": 0,
    **dict.fromkeys(CALL_RATES, 0),
    "webhooks": {
        "doubled_rate": 0,
        "late_rate": 1,
        "late_ms": 0,
        "dropped_rate": 0,
        "out_of_order_rate": 0,
    },
}
NO_OBJECT = "a JSON object is expected"
MOST_MS = 600_000
OVERTAKEN_SEC = (0.3, 2.0)
SECOND_COPY_SEC = (0.0, 1.0)


class BadSwitchError(ValueError):
    """A switch that does not exist, or a value that it cannot take."""


@dataclass(slots=True)
class Faults:
    """The switches as they stand."""

    switches: dict[str, Any] = field(default_factory=lambda: OFF)
    dice: random.Random = field(default_factory=random.Random)
    quiet: bool = True

    def put(self, wanted: object) -> None:
        """Replace every switch; BadSwitchError leaves the old ones standing."""
        if not isinstance(wanted, dict):
            _refuse("body", NO_OBJECT)
        hooks = wanted.get("webhooks", {})
        _known(wanted, OFF)
        _known(hooks, OFF["webhooks"])
        for name in CALL_RATES:
            _per_kind(wanted.get(name, 0), name, _rate)
        _per_kind(wanted.get("delay_ms", 0), "delay_ms", _time)
        for name in HOOK_RATES:
            _rate(hooks.get(name, 0), f"webhooks.{name}")
        _time(hooks.get("late_ms", 0), "webhooks.late_ms")
        seed = wanted.get("seed")
        if seed is not None and not isinstance(seed, int):
            _refuse("seed", "an integer or null is expected")
        self.switches = {**OFF, **wanted, "webhooks": {**OFF["webhooks"], **hooks}}
        self.quiet = self.switches == {**OFF, "seed": seed}
        self.dice = random.Random(seed)  # noqa: S311 - faults want to be repeatable, not secret

    def strikes(self, name: str, kind: str) -> bool:
        """Throw the dice for one call."""
        if self.quiet:
            return False
        rate = _of(self.switches[name], kind)
        return bool(rate) and self.dice.random() < rate

    def delay_sec(self, kind: str) -> float:
        """Tell how long a call of this kind is to wait before its work."""
        return 0.0 if self.quiet else self._sec(_of(self.switches["delay_ms"], kind))

    def departures(self) -> list[float]:
        """Tell after how many seconds each copy of a webhook leaves; none when it is dropped."""
        if self.quiet:
            return [0.0]
        hooks = self.switches["webhooks"]
        if self.dice.random() < hooks["dropped_rate"]:
            return []
        leaves = 0.0
        if self.dice.random() < hooks["late_rate"]:
            leaves += self._sec(hooks["late_ms"])
        if self.dice.random() < hooks["out_of_order_rate"]:
            leaves += self.dice.uniform(*OVERTAKEN_SEC)
        if self.dice.random() < hooks["doubled_rate"]:
            return [leaves, leaves + self.dice.uniform(*SECOND_COPY_SEC)]
        return [leaves]

    def _sec(self, time_ms: Any) -> float:  # noqa: ANN401 - a number or a pair
        if isinstance(time_ms, list):
            return self.dice.uniform(*time_ms) / 1000
        return float(time_ms) / 1000


def _refuse(name: str, trouble: str) -> NoReturn:
    message = f"{name}: {trouble}"
    raise BadSwitchError(message)


def _of(switch: Any, kind: str) -> Any:  # noqa: ANN401 - whatever the switch holds
    return switch.get(kind, switch.get("*", 0)) if isinstance(switch, dict) else switch


def _known(given: object, allowed: Mapping[str, Any]) -> None:
    if not isinstance(given, dict):
        _refuse("webhooks", NO_OBJECT)
    for name in given:
        if name not in allowed:
            _refuse(name, "no such switch")


def _per_kind(value: Any, name: str, check: Any) -> None:  # noqa: ANN401 - JSON, checked here
    if not isinstance(value, dict):
        check(value, name)
        return
    for kind, one in value.items():
        if kind not in KINDS:
            _refuse(name, f"no such kind of call: {kind}")
        check(one, f"{name}.{kind}")


def _number(value: object, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


def _rate(value: object, name: str) -> None:
    if not _number(value, 1):
        _refuse(name, "a number from 0 to 1 is expected")


def _time(value: object, name: str) -> None:
    if isinstance(value, list):
        pair = 2
        if (
            len(value) == pair
            and all(_number(one, MOST_MS) for one in value)
            and value[0] <= value[1]
        ):
            return
    elif _number(value, MOST_MS):
        return
    _refuse(name, f"milliseconds, or [least, most], up to {MOST_MS}, are expected")
