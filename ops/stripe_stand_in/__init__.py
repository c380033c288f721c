"""A stand-in for Stripe: its own API, spoken to the real SDK, with switches for faults."""
