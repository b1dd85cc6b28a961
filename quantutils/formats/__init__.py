"""Formats that others wrote down: small floats, and blocks of integers with a shared scale."""
