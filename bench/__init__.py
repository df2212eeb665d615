"""Measurements of the product beside what the machine can do: `make bench`."""
