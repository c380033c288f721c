"""Who may do what, tried on a whole system."""

from tests.whole import stores, whole

__all__ = ["stores", "whole"]
