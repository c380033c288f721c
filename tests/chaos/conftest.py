"""Faults under load, on a whole system."""

from tests.whole import stores, whole

__all__ = ["stores", "whole"]
