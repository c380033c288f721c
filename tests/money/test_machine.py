"""Whatever is done about money, in whatever order it is heard: the lines hold.

Hypothesis chooses what happens, and finds the shortest way to what went wrong. Every run is a world
of its own on real stores (see `tests.saga.world`). At its end all that is under way arrives, then
every deadline passes, and each time all lines are checked: no intent is captured without a
CONFIRMED order, none twice, nothing is given back twice. ``FOYER_MONEY_RUNS`` sets how many runs.
"""

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.saga.lines import check
from tests.saga.stripe import Stripe
from tests.saga.world import World
from workers.payment.gateway_worker import Desk

USUAL = 200
RUNS = int(os.environ.get("FOYER_MONEY_RUNS", USUAL))
STEPS = 8 if RUNS <= USUAL else 20
"""Many short worlds find more in the same time than a few long ones."""
SEEN_IN_MOST_RUNS = {"CONFIRMED", "EXPIRED expired", "CANCELLED cancelled", "CANCELLED refunded"}
several = st.integers(1, 8)


class Money(RuleBasedStateMachine):
    """One world; each rule is one thing that may happen in it."""

    def __init__(self, stripe: Stripe, desk: Desk, ended: Counter[str]) -> None:
        """Take what all worlds share."""
        super().__init__()
        self.stripe, self.desk, self.ended = stripe, desk, ended
        self.world: World | None = None

    @property
    def here(self) -> World:
        """The world, once it has begun."""
        assert self.world
        return self.world

    @initialize(seed=st.integers(0, 2**31))
    def begin(self, seed: int) -> None:
        """Open a world, with a first order in it."""
        self.world = World(seed, self.stripe, self.desk)
        self.buy()

    @rule()
    def buy(self) -> None:
        """Somebody buys and pays, and most of it arrives at once."""
        self.here.place()
        for _ in range(2):
            self.settle_in(8)
            self.here.pay()
        self.settle_in(8)

    @rule()
    def place(self) -> None:
        """Somebody buys."""
        self.here.place()

    @rule(times=several)
    def deliver(self, times: int) -> None:
        """Some messages arrive, in any order, some of them for the second time."""
        for _ in range(times):
            self.here.deliver()

    @rule(times=several)
    def settle_in(self, times: int) -> None:
        """The usual way: what is under way arrives, calls are made, Stripe is heard."""
        for _ in range(times):
            self.here.deliver()
            self.here.call()
        self.here.hear_stripe()

    @rule()
    def call(self) -> None:
        """A call to Stripe is made, fails, or loses its answer or its caller."""
        self.here.call()

    @rule()
    def hear_stripe(self) -> None:
        """Stripe's events come: doubled, late, or never."""
        self.here.hear_stripe()

    @rule(times=st.integers(1, 3))
    def pay(self, times: int) -> None:
        """A buyer tries a card, or several: good, declined, to be authenticated."""
        for _ in range(times):
            self.here.pay()

    @rule()
    def authenticate(self) -> None:
        """A buyer answers the bank."""
        self.here.authenticate()

    @rule()
    def cancel(self) -> None:
        """A buyer gives an order back, or a stranger tries to."""
        self.here.cancel()

    @rule()
    def expire(self) -> None:
        """A deadline passes; what is authorised later takes the tickets again."""
        self.here.expire()

    @rule()
    def pay_late(self) -> None:
        """A deadline passes just before the buyer pays."""
        self.here.pay_late()

    @rule()
    def fire_early(self) -> None:
        """A timer fires that should not have."""
        self.here.fire_early()

    @rule()
    def refund(self) -> None:
        """An organizer gives money back: all, an amount, or items."""
        self.here.refund()

    @rule()
    def give_back(self) -> None:
        """Somebody does so at Stripe itself."""
        self.here.give_back()

    @rule()
    def settle_refund(self) -> None:
        """A bank answers to a refund."""
        self.here.settle_refund()

    @rule()
    def call_off(self) -> None:
        """The event is off, once in a while."""
        if self.here.random.random() < 0.2:
            self.here.call_off()

    @rule()
    def tick(self) -> None:
        """Ten seconds pass."""
        self.here.tick()

    def teardown(self) -> None:
        """Come to rest, and be looked at; then let every deadline pass, and be looked at again."""
        if self.world is None:
            return
        self.world.rest()
        check(self.world)
        self.world.expire_all()
        self.ended.update(check(self.world))
        self.world.forget()


@pytest.mark.timeout(0 if RUNS > 500 else 600)
def test_whatever_happens_to_money_the_lines_hold(stripe: Stripe, desk: Desk) -> None:
    ended: Counter[str] = Counter()
    run_state_machine_as_test(
        lambda: Money(stripe, desk, ended),  # type: ignore[arg-type]  # A factory will do.
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            derandomize=RUNS == USUAL,  # The usual runs are the same for everybody.
        ),
    )
    print("runs", RUNS, dict(ended))  # noqa: T201  # With -s: how the orders ended.
    if RUNS >= USUAL:
        assert ended.keys() >= SEEN_IN_MOST_RUNS, ended
