"""The ticket service: what is for sale, quotas, per-user limits, reservations."""
