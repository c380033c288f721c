"""A sealed secret is read by the one process that it is for, and by nobody else."""

import json
import threading

import pytest

from bus.sealing import Opener, Sealer, Unsealable, generate
from schemas.auth import RegisterUser
from schemas.message import schema_of


def test_only_the_receiver_opens_it() -> None:
    private, public = generate()
    other, _ = generate()
    sealed = Sealer(public).seal("pässword\n")
    assert Opener(private).open(sealed) == "pässword\n"
    assert "ssword" not in sealed
    with pytest.raises(Unsealable):
        Opener(other).open(sealed)


def test_the_same_secret_never_looks_the_same() -> None:
    _, public = generate()
    sealer = Sealer(public)
    assert len({sealer.seal("secret") for _ in range(20)}) == 20


def test_what_is_damaged_is_not_opened() -> None:
    private, public = generate()
    sealed = Sealer(public).seal("secret")
    opener = Opener(private)
    parts = sealed.split(".")
    for index in range(len(parts)):
        damaged = [*parts]
        damaged[index] = "AAAA" + damaged[index][4:] if damaged[index] else "AAAA"
        with pytest.raises(Unsealable):
            opener.open(".".join(damaged))
    for text in ("", "secret", "a.b.c.d.e", sealed[:-5], sealed + "."):
        with pytest.raises(Unsealable):
            opener.open(text)


def test_other_algorithms_are_not_taken() -> None:
    """A header that asks for none, or for a key of its own choice, is refused."""
    private, public = generate()
    sealed = Sealer(public).seal("secret").split(".", 1)[1]
    for header in ("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0", "eyJhbGciOiJub25lIn0"):
        with pytest.raises(Unsealable):
            Opener(private).open(f"{header}.{sealed}")


def test_the_public_half_opens_nothing() -> None:
    private, public = generate()
    assert "d" in json.loads(private)
    assert "d" not in json.loads(public)
    with pytest.raises((Unsealable, ValueError)):
        Opener(public).open(Sealer(public).seal("secret"))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"kty":"oct","k":"AAAA"}', "not json"])
def test_what_is_no_key_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="X25519"):
        Sealer(text)


def test_a_sealed_text_fits_its_field_and_a_plain_one_does_not() -> None:
    _, public = generate()
    schema = schema_of(RegisterUser)
    document = {"email": "a@b.example", "password": Sealer(public).seal("x" * 1000)}
    assert not schema.validate(document)
    assert schema.validate(document | {"password": "plain"})
    assert schema.validate(document | {"password": "eyJ" + "x" * 9000})


def test_threads_share_a_sealer() -> None:
    private, public = generate()
    sealer, opener = Sealer(public), Opener(private)
    wrong: list[str] = []

    def work(name: str) -> None:
        for number in range(50):
            text = f"{name} {number}"
            if opener.open(sealer.seal(text)) != text:
                wrong.append(text)

    threads = [threading.Thread(target=work, args=[str(each)]) for each in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []
