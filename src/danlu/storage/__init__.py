"""TELL: what is remembered, and how several processes share it."""
