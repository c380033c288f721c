"""Opaque places in a list: the sort key of the last item seen, and which list it was."""

import base64
import binascii
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from marshmallow import ValidationError


class Place(NamedTuple):
    """The sort key of an item."""

    at: datetime
    id: UUID


def write(listing: str, place: Place) -> str:
    """Return the cursor that continues `listing` after `place`."""
    text = orjson.dumps([listing, place.at.isoformat(), str(place.id)])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def read(listing: str, cursor: str) -> Place:
    """Return where a cursor points.

    Raises:
        ValidationError: it was not made for this list.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars="-_", validate=True)
        made_for, at, last_id = orjson.loads(text)
        place = Place(datetime.fromisoformat(at), UUID(last_id))
    except (ValueError, TypeError, AttributeError, binascii.Error):
        made_for, place = None, None
    if made_for != listing or place is None or place.at.tzinfo is None:
        msg = "Not a cursor of this list."
        raise ValidationError(msg)
    return place
