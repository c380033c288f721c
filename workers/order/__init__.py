"""The order service: the order and its saga."""
