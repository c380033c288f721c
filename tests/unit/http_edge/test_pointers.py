"""marshmallow's messages as JSON pointers."""

from marshmallow import ValidationError

from http_edge.pointers import MOST, faults_of, pointer


def test_a_pointer_escapes_what_rfc_6901_says() -> None:
    assert pointer() == ""
    assert pointer("a", 0, "b/c~d") == "/a/0/b~1c~0d"


def test_messages_become_faults_with_places() -> None:
    error = ValidationError(
        {
            "event": {"starts_at": ["Wrong."], "venue": {"key": {"a": ["Bad."]}}},
            "seat_ids": {0: ["Not a UUID.", "Too short."]},
            "_schema": ["Choose one."],
        }
    )
    assert [tuple(each) for each in faults_of(error)] == [
        ("/event/starts_at", "Wrong."),
        ("/event/venue/key/a", "Bad."),
        ("/seat_ids/0", "Not a UUID."),
        ("/seat_ids/0", "Too short."),
        ("", "Choose one."),
    ]


def test_faults_without_end_are_cut() -> None:
    error = ValidationError({str(number): ["Unknown field."] for number in range(1000)})
    assert len(faults_of(error)) == MOST
