"""ASK which params to try next: one method a file."""
