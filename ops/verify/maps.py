"""The maps, plans and venues that are shown are what the venue service has."""

from ops.stores import Stores
from ops.verify.finding import Finding
from ops.verify.views import compare

_SEATS = """
    SELECT id AS seat_id, plan_id, left(status, 1) AS status FROM seats ORDER BY id
"""
_SHOWN_SEATS = """
    SELECT seat_id, plan_id, status FROM seats WHERE section_id IS NOT NULL ORDER BY seat_id
"""
_AREAS = """
    SELECT id AS section_id, plan_id, capacity, reserved, sold FROM sections WHERE type = 'ga'
    ORDER BY id
"""
_SHOWN_AREAS = """
    SELECT section_id, plan_id, capacity, reserved, sold FROM areas WHERE capacity IS NOT NULL
    ORDER BY section_id
"""
# How many are for sale moves with the blocked seats, which are compared one by one.
_PLANS = """
    SELECT p.id AS plan_id, p.venue_id, p.ticket_id, p.organizer_id, p.name, p.status,
        p.assignment_mode, p.pricing_mode, p.max_seats_per_order, p.prevent_orphans,
        p.version, p.version AS layout, t.currency
    FROM seating_plans p JOIN tickets t ON t.id = p.ticket_id ORDER BY p.id
"""
_SHOWN_PLANS = """
    SELECT plan_id, p.venue_id, p.ticket_id, p.organizer_id, p.name, p.status, p.assignment_mode,
        p.pricing_mode, p.max_seats_per_order, p.prevent_orphans, p.version,
        l.version AS layout, p.currency
    FROM plans p LEFT JOIN plan_layouts l USING (plan_id) ORDER BY plan_id
"""
_VENUES = """
    SELECT v.id AS venue_id, organizer_id, name, capacity, timezone, address, revision,
        (SELECT count(*) FROM venue_sections s WHERE s.venue_id = v.id) AS sections
    FROM venues v ORDER BY v.id
"""
_SHOWN_VENUES = """
    SELECT venue_id, organizer_id, name, capacity, timezone, address, revision,
        jsonb_array_length(sections) AS sections
    FROM venues ORDER BY venue_id
"""
_SETTINGS = """
    SELECT organizer_id, hold_ttl_sec, revision FROM organizer_settings ORDER BY organizer_id
"""
_WHAT = (
    ("seats", "seat_id", _SEATS, _SHOWN_SEATS),
    ("areas", "section_id", _AREAS, _SHOWN_AREAS),
    ("plans", "plan_id", _PLANS, _SHOWN_PLANS),
    ("venues", "venue_id", _VENUES, _SHOWN_VENUES),
    ("settings", "organizer_id", _SETTINGS, _SETTINGS),
)


def maps(stores: Stores, finding: Finding) -> None:
    """Compare all that is shown of venues with the venue service's own rows."""
    for what, key, owned, shown in _WHAT:
        with stores.stream("venue", owned) as ours, stores.stream("view", shown) as theirs:
            compare(what, key, ours, theirs, finding)
