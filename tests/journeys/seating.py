"""A house with numbered seats, put on sale over HTTP, and how its seats are seen."""

from typing import Any

from tests.journeys.shop import DEADLINE_SEC, Json, Person, ticket_form, until

ROWS, COLUMNS, PLACES = 3, 6, 20
PRICE, NEAR, FLOOR = "12.50", "30.00", "8.00"
"""The ticket's own price, which is the rows' behind, and those of the tiers."""


class House:
    """A ticket with a plan on sale: stalls by tiers, and a floor without numbers."""

    def __init__(self, organizer: Person, mode: str = "manual", **other: object) -> None:
        """Make venue, ticket and plan, and put them on sale."""
        self.organizer = organizer
        self.venue_id = done(organizer, "POST", "/v1/venues", VENUE)["venue_id"]
        template = {"name": "Stalls", "type": "seated", "row_count": ROWS, "column_count": COLUMNS}
        added = done(organizer, "POST", f"/v1/venues/{self.venue_id}/sections", template)
        form = ticket_form({"ticket_type": f"SEATED_{mode.upper()}", "max_per_user": 8})
        del form["quota"]  # Its plan says how many seats there are.
        self.ticket_id: str = done(organizer, "POST", "/v1/tickets", form)["ticket_id"]
        shape = plan_form(self.venue_id, self.ticket_id, added["section_id"], mode) | other
        self.plan_id: str = done(organizer, "POST", "/v1/seating-plans", shape)["plan_id"]
        self.path = f"/v1/seating-plans/{self.plan_id}"
        done(organizer, "POST", f"{self.path}/activation")
        self.stalls, self.floor = organizer.read(self.path)["sections"]
        self.seats: list[str] = [seat["id"] for row in self.stalls["rows"] for seat in row["seats"]]

    def letters(self) -> str:
        """Return the stalls' map."""
        found: str = self.organizer.read(f"{self.path}/availability")["sections"][self.stalls["id"]]
        return found

    def left(self) -> int:
        """Return what is left of the floor."""
        sections = self.organizer.read(f"{self.path}/availability")["sections"]
        left: int = sections[self.floor["id"]]["available"]
        return left

    def show(self, seat_id: str, letter: str, deadline_sec: float = DEADLINE_SEC) -> None:
        """Wait until a seat is seen to be so."""
        at = self.seats.index(seat_id)
        until(self.letters, lambda seen: seen[at] == letter, deadline_sec)

    def hold(self, buyer: Person, *seats: str) -> Json:
        """Try to pick seats; return the operation's end."""
        return buyer.write("POST", f"{self.path}/holds", {"seat_ids": seats})

    def order(self, buyer: Person, **what: object) -> Json:
        """Try to buy; return the operation's end."""
        return buyer.write("POST", "/v1/orders", {"ticket_id": self.ticket_id, **what})

    def buy(self, buyer: Person, **what: object) -> Json:
        """Order something that can be had; return the operation's result."""
        ended = self.order(buyer, **what)
        assert ended["status"] == "succeeded", ended
        result: Json = ended["result"]
        return result


VENUE: dict[str, Any] = {
    "name": "Theatre",
    "capacity": 100,
    "timezone": "Europe/Berlin",
    "address": "1 Stage Road, Berlin",
}


def plan_form(venue_id: str, ticket_id: str, template_id: str, mode: str) -> Json:
    """Describe a plan: the first row is dearer, one place of the last is missing."""
    near = [{"row": 1, "column": at, "price_tier": "Near"} for at in range(1, COLUMNS + 1)]
    return {
        "venue_id": venue_id,
        "ticket_id": ticket_id,
        "name": "Evening",
        "assignment_mode": mode,
        "pricing_mode": "seat",
        "max_seats_per_order": 4,
        "price_tiers": [{"name": "Near", "price": NEAR}, {"name": "Standing", "price": FLOOR}],
        "sections": [
            {
                "venue_section_id": template_id,
                "seats": [*near, {"row": ROWS, "column": COLUMNS, "missing": True}],
            },
            {"name": "Floor", "type": "ga", "capacity": PLACES, "price_tier": "Standing"},
        ],
    }


def done(person: Person, method: str, path: str, body: object = None) -> Json:
    """Ask for something that can be had; return the operation's result."""
    ended = person.write(method, path, body)
    assert ended["status"] == "succeeded", ended
    result: Json = ended["result"]
    return result


def code_of(ended: Json) -> str:
    """Return why something was refused."""
    assert ended["status"] == "failed", ended
    code: str = ended["error"]["code"]
    return code
