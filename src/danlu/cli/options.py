"""Arguments and options that several commands share."""

from __future__ import annotations

import click

STUDY = click.argument("study", required=False)
PROJECT = click.option(
    "--project",
    "place",
    metavar="DIR|URL",
    envvar="DANLU_PROJECT",
    help="The folder whose .danlu to use (default: the nearest one upward), or the "
    "address of a database server.",
)
JSON = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document instead of text."
)
OF_STUDY = click.option(
    "--study", "-s", "study", metavar="STUDY", help="Of which study (default: newest)."
)
PLAIN = click.option("--plain", is_flag=True, help="One line a trial, nothing redrawn.")
QUIET = click.option(
    "-q", "--quiet", is_flag=True, help="Say nothing but what went wrong."
)
ON = click.option(
    "--on",
    type=click.Choice(["local", "ray", "slurm"]),
    help="Where trials run: on this machine, on a Ray cluster, as Slurm jobs.",
)
SLURM = click.option(
    "--slurm",
    multiple=True,
    metavar="KEY=VALUE",
    help="For each Slurm job: partition=gpu, time_min=240, or any key of submitit's.",
)
ADDRESS = click.option(
    "--address", metavar="ADDRESS", help="The cluster's, as auto or 10.0.0.1:6379."
)
