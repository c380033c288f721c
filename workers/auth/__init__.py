"""The auth service: who may sign in, and the tokens that prove it."""
