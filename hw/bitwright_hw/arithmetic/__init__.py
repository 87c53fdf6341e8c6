"""Arithmetic that any family is made of: compressors as data, adder trees, shared sums. Nothing here knows a family."""
