"""DECIDE what to run next: from findings to planned studies."""
