"""ANALYZE what a study taught: pure functions of its history."""
