"""What is measured: each scenario gives every target the same job in turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.tools.bench.bench import Bench
from tests.tools.bench.checks import BEFORE, SUBJECT
from tests.tools.bench.results import Figure, percentile

MEBIBYTE = 1024 * 1024
PACE = 0.05  # seconds between two events of a paced stream


@dataclass(frozen=True, slots=True)
class Form:
    """Sizes of one run; times in seconds."""

    rounds: int
    sequential_turns: int
    rush: float  # of whole turns as fast as they go
    streams: tuple[int, ...]
    window: float
    long_sockets: int  # turns on each; 0 leaves them out
    big: tuple[int, ...]  # bytes
    idle: tuple[int, int]  # sockets, keep-alive connections
    soak: float
    flood_bytes: int
    whole: bool  # False: memory of the gateway alone, zstd left out


QUICK = Form(
    rounds=1,
    sequential_turns=200,
    rush=1.0,
    streams=(200,),
    window=1.5,
    long_sockets=0,
    big=(MEBIBYTE,),
    idle=(200, 100),
    soak=0,
    flood_bytes=40 * 1000 * 1000,
    whole=False,
)
FULL = Form(
    rounds=3,
    sequential_turns=1000,
    rush=2.0,
    streams=(1, 50, 200, 500),
    window=4.0,
    long_sockets=20,
    big=(MEBIBYTE, 8 * MEBIBYTE),
    idle=(2000, 500),
    soak=600,
    flood_bytes=200 * 1000 * 1000,
    whole=True,
)


def first_event(bench: Bench, form: Form) -> None:
    """Sequential small turns; what a target adds to the direct time."""
    for _ in range(bench.rounds):
        direct: dict[float, float] = {}
        for name in bench.names():
            result = bench.run(name, "turns", turns=form.sequential_turns)
            for share, label in ((0.5, "p50"), (0.99, "p99")):
                value = percentile(result["first_outputs"], share) * 1000
                added = value - direct.setdefault(share, value)
                figure = Figure("1", f"added to first output, {label}", "ms")
                if name == "direct":
                    figure = Figure("1", f"time to first output, {label}", "ms")
                bench.results.note(figure, name, added or value)


def turns(bench: Bench, form: Form) -> None:
    """16 clients, whole turns of 54 events, as fast as they go."""
    for _ in range(bench.rounds):
        for name in bench.names():
            result = bench.run(name, "turns", clients=16, seconds=form.rush)
            rate = result["turns"] / result["seconds"]
            bench.results.note(Figure("2", "turns", "/s"), name, rate)
            cost = result["cpu"] / max(result["turns"], 1) * 1e6
            bench.results.note(Figure("2", "CPU per turn", "µs"), name, cost)


def paced_streams(bench: Bench, form: Form) -> None:
    """SSE streams with one event per pace."""
    for _ in range(bench.rounds):
        for count in form.streams:
            for name in bench.names():
                _paced(bench, "3", name, count, form.window)


def paced_sockets(bench: Bench, form: Form) -> None:
    """The same over WebSocket: one turn per socket, then many."""
    for _ in range(bench.rounds):
        for count in form.streams:
            for name in bench.names(sockets=True):
                _paced(bench, "4", name, count, form.window, transport="socket")
        if not form.long_sockets:
            continue
        for name in bench.names(sockets=True):
            result = bench.run(
                name,
                "paced",
                transport="socket",
                clients=200,
                turns=form.long_sockets,
                seconds=form.long_sockets * 0.5,  # ten deltas a turn
                pace=PACE,
            )
            label = f"CPU per message, 200 sockets of {form.long_sockets} turns"
            cost = result["cpu"] / result["events"] * 1e6
            bench.results.note(Figure("4", label, "µs"), name, cost)


def _paced(
    bench: Bench, scenario: str, name: str, count: int, window: float, **job: str
) -> None:
    result = bench.run(name, "paced", clients=count, seconds=window, pace=PACE, **job)
    unit = "message" if scenario == "4" else "event"
    what = f"{count} sockets" if scenario == "4" else f"{count} streams"
    note = bench.results.note
    cost = result["cpu"] / max(result["events"], 1) * 1e6
    note(Figure(scenario, f"CPU per {unit}, {what}", "µs"), name, cost)
    note(Figure(scenario, f"gap p99, {what}", "ms"), name, result["gap_p99"] * 1000)
    note(Figure(scenario, f"stalled gaps, {what}", "%"), name, result["stalled"] * 100)
    if count >= 200:
        figure = Figure(scenario, f"generator's own load, {what}", "%")
        note(figure, name, result["generator_load"] * 100)
    if name == "direct":
        load = result["cpu"] / result["seconds"] * 100
        note(Figure(scenario, f"upstream's own load, {what}", "%"), name, load)


def big_requests(bench: Bench, form: Form) -> None:
    """Big requests among 100 paced streams: what both have to wait."""
    for _ in range(bench.rounds):
        for size in form.big:
            for is_compressed in (False, True)[: 1 + form.whole]:
                direct = 0.0
                for name in bench.names():
                    result = bench.run(
                        name,
                        "paced",
                        clients=100,
                        seconds=form.window,
                        pace=PACE,
                        big_bytes=size,
                        is_compressed=is_compressed,
                    )
                    what = f"{size // MEBIBYTE} MiB" + " zstd" * is_compressed
                    late = (result["gap_max"] - PACE) * 1000
                    figure = Figure("5", f"longest gap beyond the pace, {what}", "ms")
                    bench.results.note(figure, name, late)
                    value = percentile(result["big_outputs"], 0.5) * 1000
                    direct = direct or value
                    label = "time" if name == "direct" else "added"
                    figure = Figure("5", f"{label} to first output, {what}", "ms")
                    added = value if name == "direct" else value - direct
                    bench.results.note(figure, name, added)


def memory(bench: Bench, form: Form) -> None:
    """At rest, per idle connection, per active stream; before and after a soak."""
    note = bench.results.note
    kinds = (("socket", form.idle[0]), ("http", form.idle[1]))
    for name in _remembered(bench, form):
        for transport, count in kinds:
            if transport not in _transports(bench, name):
                continue
            bench.fresh(name)
            _warm_up(bench, name)
            if transport == "socket":
                note(
                    Figure("6", "memory at rest", "MB"), name, bench.memory(name) / 1e6
                )
            result = bench.run(name, "idle", transport=transport, clients=count)
            what = "socket" if transport == "socket" else "keep-alive connection"
            each = (result["rss"] - result["rss_before"]) / count / 1000
            note(Figure("6", f"memory per idle {what}", "kB"), name, each)
        bench.fresh(name)
        _warm_up(bench, name)
        result = bench.run(name, "paced", clients=200, seconds=1.0, pace=PACE)
        each = (result["rss"] - result["rss_idle"]) / 200 / 1000
        note(Figure("6", "memory per active stream", "kB"), name, each)
        if form.soak and name == SUBJECT:
            _soak(bench, name, form.soak)


def _remembered(bench: Bench, form: Form) -> Sequence[str]:
    """Whose memory is measured; beside another checkout once in each round."""
    names = bench.names(direct=False)
    if not form.whole:
        names = [name for name in names if name in (SUBJECT, BEFORE)]
    return [*names] * (bench.rounds if BEFORE in names else 1)


def _transports(bench: Bench, name: str) -> set[str]:
    speaks = name in bench.names(sockets=True)
    return {"http", "socket"} if speaks else {"http"}


def _warm_up(bench: Bench, name: str) -> None:
    """Imports and caches that the first requests fill belong to the rest."""
    bench.run(name, "turns", turns=20)
    if name in bench.names(sockets=True):
        bench.run(name, "turns", turns=3, transport="socket")


def _soak(bench: Bench, name: str, seconds: float) -> None:
    before = bench.memory(name)
    bench.run(name, "paced", clients=200, seconds=seconds, pace=PACE)
    grown = (bench.memory(name) - before) / 1e6
    label = f"memory grown after {seconds / 60:.0f} min of 200 streams"
    bench.results.note(Figure("6", label, "MB"), name, grown)


def slow_reader(bench: Bench, form: Form) -> None:
    """A client that reads nothing while the upstream sends all it can."""
    for name in _remembered(bench, form):
        bench.fresh(name)
        _warm_up(bench, name)
        seconds = 1.0 + form.flood_bytes / 1e8
        result = bench.run(name, "flood", flood_bytes=form.flood_bytes, seconds=seconds)
        held = (result["rss_peak"] - result["rss_before"]) / 1e6
        bench.results.note(Figure("7", "memory held back", "MB"), name, held)


SCENARIOS: dict[str, Callable[[Bench, Form], None]] = {
    "1": first_event,
    "2": turns,
    "3": paced_streams,
    "4": paced_sockets,
    "5": big_requests,
    "6": memory,
    "7": slow_reader,
}
TITLES = {
    "1": "One small turn after the other",
    "2": "16 clients, 54 events a turn, upstream answers at once",
    "3": "SSE streams, one event per 50 ms",
    "4": "WebSocket, one message per 50 ms",
    "5": "A big request among 100 streams",
    "6": "Memory",
    "7": "A client that reads nothing",
}
