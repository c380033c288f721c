"""Whatever is done with sessions, in any order: a token opens what it should, and nothing else."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from schemas.auth import (
    ChangePassword,
    CloseSession,
    RefreshRefused,
    RefreshSession,
    SessionRefreshed,
)
from tests.services.auth.conftest import Accounts


@dataclass
class Family:
    """A sign-in as it should be."""

    id: UUID
    tokens: list[str]
    """The last one is the good one."""
    alive: bool = True


class Sessions(RuleBasedStateMachine):
    """One user, their sign-ins, and somebody who has copies of every token."""

    accounts: Accounts

    def __init__(self) -> None:
        """Register."""
        super().__init__()
        opened = self.accounts.arrive()
        self.email, self.user_id = opened.email, opened.user_id
        self.password, self.passwords = "correct horse battery", 0
        self.families = [Family(opened.session_id, [opened.refresh_token])]

    def _refresh(self, token: str) -> Any:  # noqa: ANN401  # One of two answers.
        sealed = self.accounts.seal(token)
        return self.accounts.told(RefreshSession(request_id=uuid4(), refresh_token=sealed))

    @precondition(lambda self: len(self.families) < 4)
    @rule()
    def sign_in(self) -> None:
        """Begin another session."""
        opened = self.accounts.sign_in(self.email, self.password)
        self.families.append(Family(opened.session_id, [opened.refresh_token]))

    @rule(data=st.data())
    def refresh(self, data: st.DataObject) -> None:
        """Use the newest token of a session."""
        family = data.draw(st.sampled_from(self.families))
        said = self._refresh(family.tokens[-1])
        assert isinstance(said, SessionRefreshed) is family.alive
        if isinstance(said, SessionRefreshed):
            family.tokens.append(self.accounts.unseal(said.refresh_token))

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """Use one that was exchanged: nothing is had, and the session is over."""
        family = data.draw(st.sampled_from(self.families))
        if len(family.tokens) > 1:
            said = self._refresh(data.draw(st.sampled_from(family.tokens[:-1])))
            assert isinstance(said, RefreshRefused)
            family.alive = False

    @rule(data=st.data())
    def sign_out(self, data: st.DataObject) -> None:
        """End a session."""
        family = data.draw(st.sampled_from(self.families))
        command = CloseSession(session_id=family.id, user_id=self.user_id)
        self.accounts.told(command, user_id=self.user_id)
        family.alive = False

    @precondition(lambda self: self.passwords < 3)
    @rule(data=st.data())
    def change_password(self, data: st.DataObject) -> None:
        """End all but one, which is no better than before."""
        kept = data.draw(st.sampled_from(self.families))
        self.passwords += 1
        wanted = f"horse number {self.passwords}"
        command = ChangePassword(
            user_id=self.user_id,
            session_id=kept.id,
            current_password=self.accounts.seal(self.password),
            new_password=self.accounts.seal(wanted),
        )
        self.accounts.told(command, user_id=self.user_id)
        self.password = wanted
        for family in self.families:
            family.alive = family.alive and family is kept

    def teardown(self) -> None:
        """Look at what is there: one good token for each session that is alive."""
        rows = self.accounts.db.execute(
            "SELECT family FROM sessions WHERE user_id = %s AND used_at IS NULL"
            " AND revoked_at IS NULL AND expires_at > now()",
            [self.user_id],
        ).fetchall()
        assert sorted(row["family"] for row in rows) == sorted(
            family.id for family in self.families if family.alive
        )


def test_sessions(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sessions, "accounts", accounts, raising=False)
    run_state_machine_as_test(
        Sessions,
        settings=settings(
            max_examples=5,
            stateful_step_count=12,
            suppress_health_check=list(HealthCheck),
        ),
    )
