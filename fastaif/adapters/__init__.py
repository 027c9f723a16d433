"""From fitted estimators to descriptions of models; `register` adds other people's."""

from .registered import LinearDescription, register

__all__ = ["LinearDescription", "register"]
