"""What can go wrong with a local system, in words for the person who started it."""


class StackError(Exception):
    """The local system cannot be started, changed or stopped; the message says why."""
