"""Tokens and the keys that sign them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import OKPKey

from workers.auth.key import SigningKey
from workers.auth.session import Session, access_token, token_hash

NOW = datetime(2026, 11, 22, 10, 0, 0, 500_000, tzinfo=UTC)
KEY = SigningKey.generate(1, NOW)


def test_the_access_token_says_who_and_until_when() -> None:
    session = Session.open(uuid4(), uuid4(), "refresh", NOW)
    public = OKPKey.import_key(KEY.public_jwk)
    token = jwt.decode(access_token(session, KEY), public, algorithms=["EdDSA"])
    assert token.header == {"alg": "EdDSA", "typ": "at+jwt", "kid": KEY.kid}
    assert token.claims == {
        "iss": "foyer",
        "aud": "foyer",
        "sub": str(session.user_id),
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 600,
        "jti": str(session.id),
        "sid": str(session.family),
    }


def test_another_key_does_not_verify_it() -> None:
    session = Session.open(uuid4(), uuid4(), "refresh", NOW)
    other = OKPKey.import_key(SigningKey.generate(2, NOW).public_jwk)
    with pytest.raises(BadSignatureError):
        jwt.decode(access_token(session, KEY), other, algorithms=["EdDSA"])


def test_only_the_hash_of_a_refresh_token_is_kept() -> None:
    session = Session.open(uuid4(), uuid4(), "refresh", NOW)
    assert session.refresh_token_hash == token_hash("refresh")
    assert len(session.refresh_token_hash) == 32
    assert session.family == session.id
    assert session.expires_at - NOW == timedelta(days=30)


def test_a_session_is_handed_on_from_token_to_token() -> None:
    first = Session.open(uuid4(), uuid4(), "first", NOW)
    later = NOW + timedelta(days=29)
    second = first.follow(uuid4(), "second", later)
    assert (second.family, second.user_id) == (first.family, first.user_id)
    assert second.id != first.id
    assert second.refresh_token_hash == token_hash("second")
    assert second.expires_at == later + timedelta(days=30)


def test_a_token_is_good_once_and_while_its_session_lasts() -> None:
    fresh = Session.open(uuid4(), uuid4(), "refresh", NOW)
    used, revoked = replace(fresh, used_at=NOW), replace(fresh, revoked_at=NOW)
    assert fresh.standing(NOW) == "good"
    assert used.standing(NOW) == "used"
    assert revoked.standing(NOW) == replace(used, revoked_at=NOW).standing(NOW) == "over"
    assert fresh.standing(fresh.expires_at) == "over"


def test_the_private_half_stays_out_of_sight() -> None:
    assert "d" not in KEY.public_jwk
    assert KEY.private_jwk["d"] not in repr(KEY)
    assert KEY.kid == KEY.public_jwk["kid"] == OKPKey.import_key(KEY.public_jwk).thumbprint()


def test_a_key_signs_from_its_beginning_to_its_retirement() -> None:
    assert KEY.is_current(NOW)
    assert KEY.is_current(NOW - timedelta(seconds=1))  # Whoever began before it was made.
    assert not KEY.is_current(NOW - timedelta(hours=1))
    fields = vars(KEY) | {"retires_at": NOW + timedelta(days=1)}
    retiring = SigningKey(**fields)
    assert retiring.is_current(NOW)
    assert not retiring.is_current(NOW + timedelta(days=1))


def test_revisions_grow_even_when_the_last_one_was_forgotten() -> None:
    assert SigningKey.generate(0, NOW + timedelta(minutes=1)).revision > KEY.revision
    assert SigningKey.generate(KEY.revision, NOW).revision == KEY.revision + 1
