"""Circles in a graph of imports."""

from collections.abc import Iterator


def strongly_connected(graph: dict[str, frozenset[str]]) -> Iterator[set[str]]:
    """Tarjan's algorithm (SIAM J. Comput. 1, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(node: str) -> Iterator[set[str]]:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                yield from visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            yield set(stack[at:])
            del stack[at:]

    for node in graph:
        if node not in index:
            yield from visit(node)
