"""Which halls a process keeps."""

from collections.abc import Callable
from uuid import UUID

from tests.unit.venue.halls import drawn
from workers.venue.hall import Hall
from workers.venue.halls import Halls


class House:
    """Halls of five seats in a process that keeps fifteen, and which were read, in order."""

    def __init__(self) -> None:
        """Begin with none."""
        self.halls, self.read = Halls(most_seats=15), ""

    def look(self, wanted: str, version: int = 1, seats: int = 5) -> None:
        """Look at halls, each named by a letter."""
        for name in wanted:
            self.halls.of(UUID(int=ord(name)), version, self._reading(name, seats))

    def _reading(self, name: str, seats: int) -> Callable[[], Hall]:
        def read() -> Hall:
            self.read += name
            return drawn(["." * seats]).hall

        return read


def test_the_hall_that_was_not_used_for_longest_goes_first() -> None:
    house = House()
    house.look("abcadaeaba")
    assert house.read == "abcdeb"


def test_as_many_are_kept_as_there_is_room_for() -> None:
    house = House()
    house.look("abcdefghijklmno", seats=1)
    house.look("abcdefghijklmno", seats=1)
    assert house.read == "abcdefghijklmno"
    house.look("pp", seats=11)
    house.look("lmno", seats=1)
    assert house.read == "abcdefghijklmnop"
    house.look("k", seats=1)
    assert house.read == "abcdefghijklmnopk"


def test_one_is_kept_however_large_it_is() -> None:
    house = House()
    house.look("aa", seats=20)
    assert house.read == "a"


def test_a_new_version_takes_the_place_of_the_old_one() -> None:
    house = House()
    house.look("abc")
    house.look("aa", version=2)
    house.look("bc")
    assert house.read == "abca"
