"""Addresses and passwords."""

import pytest

from workers.auth import password
from workers.auth.user import is_address, is_password, normalised


def test_one_person_has_one_spelling() -> None:
    assert normalised("  Ada.Lovelace@Example.ORG ") == "ada.lovelace@example.org"


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("a@b.example", True),
        ("first.last+tag@sub.domain.example", True),
        ("ü@münchen.example", True),
        ("a@localhost", False),
        ("a@b@c.example", False),
        ("@b.example", False),
        ("a@", False),
        ("a@.example", False),
        ("a b@c.example", False),
        ("a@b..example", False),
        ("x" * 65 + "@b.example", False),
        ("", False),
    ],
)
def test_addresses(text: str, *, fine: bool) -> None:
    assert is_address(text) is fine


@pytest.mark.parametrize(("length", "fine"), [(9, False), (10, True), (128, True), (129, False)])
def test_passwords_are_counted_in_characters(length: int, *, fine: bool) -> None:
    assert is_password("ü" * length) is fine


def test_a_password_matches_its_own_hash_only() -> None:
    kept = password.hashed("correct horse")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert password.matches(kept, "correct horse")
    assert not password.matches(kept, "correct horsf")
    assert not password.is_outdated(kept)


def test_nobody_has_no_password() -> None:
    assert not password.matches(None, "a password that nobody has")


def test_one_typing_is_one_password_on_every_keyboard() -> None:
    composed, decomposed = "pässwörd-pässwörd", "pa\u0308sswo\u0308rd-pa\u0308sswo\u0308rd"
    assert password.matches(password.hashed(composed), decomposed)
