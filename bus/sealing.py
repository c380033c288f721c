"""Secrets in transit: sealed to the one process that must read them.

Compact JWE (RFC 7516), ECDH-ES on X25519 with A256GCM. What the console, a dead letter, a store
or a log shows is ciphertext.
"""

import json

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

_ALGORITHMS = ["ECDH-ES", "A256GCM"]
_HEADER = {"alg": "ECDH-ES", "enc": "A256GCM"}


class Unsealable(Exception):  # noqa: N818  # What the text is.
    """This was not sealed to us, or was changed on the way."""


def generate() -> tuple[str, str]:
    """Make a key pair; return its private and its public JWK as JSON."""
    key = OKPKey.generate_key("X25519")
    return json.dumps(key.as_dict(private=True)), json.dumps(key.as_dict(private=False))


def _key(jwk: str) -> OKPKey:
    try:
        return OKPKey.import_key(json.loads(jwk))
    except (ValueError, TypeError, KeyError, JoseError) as error:
        msg = "it is not an X25519 key as a JWK."
        raise ValueError(msg) from error


class Sealer:
    """Seals to the holder of one key."""

    def __init__(self, public_jwk: str) -> None:
        """Take the receiver's public JWK.

        Raises:
            ValueError: it is not one.
        """
        self._key = _key(public_jwk)

    def seal(self, text: str) -> str:
        """Return `text` so that only the receiver can read it."""
        return jwe.encrypt_compact(dict(_HEADER), text.encode(), self._key, algorithms=_ALGORITHMS)


class Opener:
    """Opens what was sealed to us."""

    def __init__(self, private_jwk: str) -> None:
        """Take our private JWK.

        Raises:
            ValueError: it is not one.
        """
        self._key = _key(private_jwk)

    def open(self, sealed: str) -> str:
        """Return what was sealed.

        Raises:
            Unsealable: it was sealed to somebody else, or is damaged.
        """
        try:
            opened = jwe.decrypt_compact(sealed, self._key, algorithms=_ALGORITHMS).plaintext
            return (opened or b"").decode()
        except (JoseError, ValueError, TypeError, KeyError) as error:
            msg = "A sealed field cannot be opened."
            raise Unsealable(msg) from error
