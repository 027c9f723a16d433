"""Derivatives of losses that users write with torch or JAX; neither is loaded before it is used."""
