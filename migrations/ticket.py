"""MongoDB: the ticket service's collections, their validators and indexes."""

from typing import Any

from pymongo.database import Database

_COUNT = {"bsonType": "int", "minimum": 0}
_TEXT = {"bsonType": "string"}
_ID = {"bsonType": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_TIME = {"bsonType": "date"}

_TICKETS: dict[str, Any] = {
    "bsonType": "object",
    "required": [
        "_id",
        "id",
        "organizer_id",
        "title",
        "price",
        "currency",
        "quota",
        "reserved",
        "sold",
        "max_per_user",
        "seating_plan_id",
        "ticket_type",
        "status",
        "event",
        "version",
        "revision",
        "created_at",
        "updated_at",
    ],
    "additionalProperties": False,
    "properties": {
        "_id": _ID,
        "id": _ID,
        "organizer_id": _ID,
        "title": _TEXT,
        "price": {"bsonType": "decimal"},
        "currency": {"bsonType": "string", "pattern": "^[A-Z]{3}$"},
        "quota": _COUNT,
        "reserved": _COUNT,
        "sold": _COUNT,
        "max_per_user": {"bsonType": "int", "minimum": 1},
        "seating_plan_id": {"bsonType": ["string", "null"]},
        "plans": {
            "bsonType": "array",
            "items": {
                "bsonType": "object",
                "required": ["plan_id", "turned", "counted", "sellable"],
                "additionalProperties": False,
                "properties": {
                    "plan_id": _ID,
                    "turned": _COUNT,
                    "counted": _COUNT,
                    "sellable": _COUNT,
                },
            },
        },
        "ticket_type": {"enum": ["GA", "SEATED_MANUAL", "SEATED_AUTO"]},
        "status": {"enum": ["draft", "on_sale", "closed", "cancelled"]},
        "event": {
            "bsonType": "object",
            "required": ["title", "startsAt", "endsAt", "venue"],
            "properties": {
                "title": _TEXT,
                "startsAt": _TIME,
                "endsAt": _TIME,
                "venue": {"bsonType": ["object", "null"]},
            },
        },
        "version": {"bsonType": "int", "minimum": 1},
        "revision": {"bsonType": "int", "minimum": 1},
        "created_at": _TIME,
        "updated_at": _TIME,
    },
}
_WITHIN_QUOTA = {"$lte": [{"$add": ["$reserved", "$sold"]}, "$quota"]}

_RESERVATIONS: dict[str, Any] = {
    "bsonType": "object",
    "required": [
        "_id",
        "id",
        "ticket_id",
        "order_id",
        "order_version",
        "user_id",
        "quantity",
        "released",
        "status",
        "expires_at",
        "created_at",
    ],
    "additionalProperties": False,
    "properties": {
        "_id": _ID,
        "id": _ID,
        "ticket_id": _ID,
        "order_id": _ID,
        "order_version": {"bsonType": "int", "minimum": 1},
        "user_id": _ID,
        "quantity": _COUNT,
        "released": _COUNT,
        "status": {"enum": ["HELD", "FINALIZED", "RELEASED", "EXPIRED"]},
        "expires_at": {"bsonType": ["date", "null"]},
        "created_at": _TIME,
    },
}

_COUNTS: dict[str, Any] = {
    "bsonType": "object",
    "required": ["_id", "ticket_id", "user_id", "quantity"],
    "additionalProperties": False,
    "properties": {"_id": _TEXT, "ticket_id": _ID, "user_id": _ID, "quantity": _COUNT},
}


def migrate(database: Database[dict[str, Any]]) -> None:
    """Bring the collections to what this code expects; safe to repeat."""
    _collection(database, "tickets", {"$jsonSchema": _TICKETS, "$expr": _WITHIN_QUOTA})
    _collection(database, "reservations", {"$jsonSchema": _RESERVATIONS})
    _collection(database, "user_counts", {"$jsonSchema": _COUNTS})
    database.tickets.create_index("organizer_id")
    database.reservations.create_index("order_id", unique=True)
    database.reservations.create_index([("ticket_id", 1), ("status", 1)])


def _collection(database: Database[dict[str, Any]], name: str, validator: dict[str, Any]) -> None:
    if name not in database.list_collection_names():
        database.create_collection(name, validator=validator)
    else:
        database.command("collMod", name, validator=validator)
