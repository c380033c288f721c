"""Sealing: what one key sealed only its holder opens, whoever seals beside it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from bus.sealing import Opener, Sealer, Unsealable, generate


def test_what_many_threads_seal_at_once_can_be_opened() -> None:
    """The library writes into the header that it is given; no two calls may share one."""
    private, public = generate()
    sealer, opener = Sealer(public), Opener(private)
    texts = [f"secret {number}" for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(sealer.seal, texts))
    assert [opener.open(each) for each in sealed] == texts


def test_somebody_elses_seal_and_a_changed_one_stay_closed() -> None:
    """Neither a wrong key nor a changed letter opens anything."""
    (_, public), (other, _) = generate(), generate()
    sealed = Sealer(public).seal("secret")
    with pytest.raises(Unsealable):
        Opener(other).open(sealed)
    with pytest.raises(Unsealable):
        Opener(other).open(sealed[:-3] + "AAA")
    with pytest.raises(Unsealable):
        Opener(other).open("nonsense")


def test_a_setting_that_is_no_key_is_told_as_such() -> None:
    """The settings reader turns the sentence into one that names the variable."""
    with pytest.raises(ValueError, match="X25519"):
        Sealer('{"kty": "oct"}')
