"""What an operator does, on a whole system where it takes one."""

from tests.whole import stores, whole

__all__ = ["stores", "whole"]
