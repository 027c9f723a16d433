"""Slow, obvious NumPy versions of the formulas, written independently of the library they check."""
