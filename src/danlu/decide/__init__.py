"""DECIDE whether to adopt what a study found, from runs on fresh seeds alone."""
