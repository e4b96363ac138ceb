"""`danlu demo`: a real study on real digits, from start to report."""

from __future__ import annotations

import click


@click.command()
def demo() -> None:
    """Tune a small network on scikit-learn's digits; takes some minutes."""
    from ..demo import main

    main()
