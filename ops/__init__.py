"""Running the system: local stack, seed, checks and stand-ins."""
