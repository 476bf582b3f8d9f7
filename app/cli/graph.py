"""Prints the container's graph."""

from app.cli.build import build_container
from app.container_lifecycle import render_mermaid, render_text
from app.ports.exit_codes import ExitCode


def print_graph(profile: str | None, overrides: list[str], *, mermaid: bool) -> int:
    """Print the providers that would start, in order, and what each needs."""
    graph = build_container(profile, overrides).graph()
    print(render_mermaid(graph) if mermaid else render_text(graph))
    return ExitCode.CLEAN
