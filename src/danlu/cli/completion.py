"""`danlu completion`: the script that completes commands in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_DANLU_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script; to keep it:

    \b
    bash  danlu completion bash >> ~/.bashrc
    zsh   danlu completion zsh >> ~/.zshrc
    fish  danlu completion fish > ~/.config/fish/completions/danlu.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    root = ctx.find_root().command
    parts = found(root, {}, "danlu", _VARIABLE)
    click.echo(parts.source_template % parts.source_vars())
