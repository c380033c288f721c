"""The user service: who people are, apart from how they sign in."""
