"""Measurements. Run with ``make bench``; numbers in the docs come from here."""
