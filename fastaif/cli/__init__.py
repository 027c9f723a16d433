"""What a shell calls: `fastaif` and `python -m fastaif`."""

from .main import main

__all__ = ["main"]
