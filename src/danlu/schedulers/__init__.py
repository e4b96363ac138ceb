"""ASK how far each trial runs: which to start, to continue, to pause, to stop."""
