"""The expiration service: timers and the clock."""
