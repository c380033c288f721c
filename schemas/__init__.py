"""What may be said on the bus: every command and event, one file per service."""
