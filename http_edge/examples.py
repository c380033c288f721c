"""Bodies as clients send them, for the API document, where a form's fields must fit together."""

from typing import Any

from marshmallow import Schema

from http_edge import forms, seating_forms

_SECTION = {"name": "Stalls", "type": "seated", "row_count": 4, "column_count": 10}

BODIES: dict[type[Schema], dict[str, Any]] = {
    forms.NewTicket: {
        "title": "Stalls",
        "price": "25.00",
        "currency": "EUR",
        "quota": 100,
        "max_per_user": 4,
        "ticket_type": "GA",
        "event": {
            "title": "First Night",
            "starts_at": "2030-05-01T19:30:00Z",
            "ends_at": "2030-05-01T22:00:00Z",
        },
    },
    forms.NewOrder: {"ticket_id": "01a21ac5-69fa-7b18-bd83-76528aa2ca01", "quantity": 2},
    seating_forms.NewVenue: {
        "name": "Small Theatre",
        "capacity": 40,
        "timezone": "Europe/Berlin",
        "address": "1 Stage Road",
    },
    seating_forms.NewPlan: {
        "venue_id": "01a21ac5-7d3c-7a52-9c4e-2b6f0d1e8a37",
        "ticket_id": "01a21ac5-69fa-7b18-bd83-76528aa2ca01",
        "name": "Evening",
        "assignment_mode": "manual",
        "pricing_mode": "section",
        "price_tiers": [{"name": "Near", "price": "40.00"}],
        "sections": [_SECTION | {"price_tier": "Near"}],
    },
}
