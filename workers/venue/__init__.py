"""The venue service: venues, seating plans, seats, holds, the ledger of seat reservations."""
