"""One price list of several sources, and what to do where they disagree. Pure.

Where sources disagree about a rate, the one with the newer date counts; where one of
them tells no date, or both the same one, the dearer. The other is kept beside it.
"""

import json
from collections.abc import Iterable
from typing import Any

from tests.tools.prices.sources import Place, Rates, Told, base_name

_ORDER = ("standard", "flex", "priority", "ultrafast")
_NAMES = ("input", "cached", "cache_write", "output")

Chosen = dict[Place, tuple[Told, list[Told]]]


def merge(sources: Iterable[Rates], read_on: str) -> list[dict[str, Any]]:
    """The entries of a list; `read_on`: the date of what tells none itself."""
    sources = list(sources)
    by_model: dict[str, Chosen] = {}
    for name in {name for rates in sources for name in rates}:
        told = [rates[name] for rates in sources if name in rates]
        places = {place for rates in told for place in rates}
        by_model[name] = {
            place: choose([rates[place] for rates in told if place in rates])
            for place in places
        }
    return [_entry(names, chosen, read_on) for names, chosen in _alike(by_model)]


def choose(told: list[Told]) -> tuple[Told, list[Told]]:
    """The rate that counts, and those that differ from it."""
    best = told[0]
    for other in told[1:]:
        if other.prices != best.prices and _goes_before(other, best):
            best = other
    same = [one for one in told if one.prices == best.prices]
    dates = [one.date for one in same if one.date is not None]
    sources = ", ".join(one.source for one in same)
    agreed = Told(best.prices, sources, max(dates, default=None))
    return agreed, [one for one in told if one.prices != best.prices]


def _goes_before(other: Told, best: Told) -> bool:
    if other.date and best.date and other.date != best.date:
        return other.date > best.date
    return _dearness(other) > _dearness(best)


def _dearness(told: Told) -> list[Any]:
    prices = told.prices
    return [
        prices["output"],
        prices["input"],
        *(prices.get(name, prices["input"]) for name in ("cached", "cache_write")),
    ]


def _alike(by_model: dict[str, Chosen]) -> list[tuple[list[str], Chosen]]:
    """Names that cost the same in all: a model's other names and dated versions."""
    entries: list[tuple[list[str], Chosen]] = []
    for name in sorted(by_model, key=lambda name: (base_name(name), name)):
        chosen = by_model[name]
        base = base_name(name)
        if name != base and _prices(by_model.get(base, {})) == _prices(chosen):
            continue  # the base's glob has it
        same = next((one for one in entries if one[1] == chosen), None)
        if same is None:
            entries.append(([name], chosen))
        else:
            same[0].append(name)
    # What has a day of its own goes before the glob of all days.
    return sorted(entries, key=lambda one: one[0][0] == base_name(one[0][0]))


def _prices(chosen: Chosen) -> dict[Place, Any]:
    return {place: told.prices for place, (told, _) in chosen.items()}


def _entry(names: list[str], chosen: Chosen, read_on: str) -> dict[str, Any]:
    """One entry; a rate tells source and date where they are not its entry's."""
    places = sorted(chosen, key=lambda place: (_rank(place[0]), place))
    source, told_at = _origin(chosen[places[0]][0], read_on)
    rates = []
    for tier, above in places:
        told, others = chosen[tier, above]
        rate: dict[str, Any] = {"tier": tier}
        if above:
            rate["above"] = above
        rate |= _numbers(told)
        own_source, own_date = _origin(told, read_on)
        if own_source != source:
            rate["source"] = own_source
        if own_date != told_at:
            rate["date"] = own_date
        if others:
            rate["others"] = [
                {"source": one.source, "date": one.date or read_on, **_numbers(one)}
                for one in others
            ]
        rates.append(rate)
    globs = [one for one in names if one == base_name(one) and "latest" not in one]
    globs = [*names, *(f"{name}-20??-??-??" for name in globs)]
    return {"match": globs, "source": source, "date": told_at, "rates": rates}


def _origin(told: Told, read_on: str) -> tuple[str, str]:
    return told.source, told.date or read_on


def _rank(tier: str) -> int:
    return _ORDER.index(tier) if tier in _ORDER else len(_ORDER)


def _numbers(told: Told) -> dict[str, Any]:
    return {name: told.prices[name] for name in _NAMES if name in told.prices}


def as_json(document: dict[str, Any]) -> str:
    """The list as it is kept: one rate a line, so that a change is a line, too."""
    heads = {name: value for name, value in document.items() if name != "models"}
    lines = [f'  "{name}": {_inline(value)},' for name, value in heads.items()]
    models = []
    for entry in document["models"]:
        fields = [f'"{name}": {_inline(entry[name])}' for name in ("source", "date")]
        rates = ",\n      ".join(map(_inline, entry["rates"]))
        models.append(
            f'    {{"match": {_inline(entry["match"])},\n      {", ".join(fields)},\n'
            f'      "rates": [\n      {rates}]}}'
        )
    return "\n".join(["{", *lines, '  "models": [', ",\n".join(models), "  ]", "}", ""])


def _inline(value: Any) -> str:
    """JSON with exact numbers."""
    if isinstance(value, dict):
        fields = (f"{json.dumps(name)}: {_inline(one)}" for name, one in value.items())
        return f"{{{', '.join(fields)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return f"{value:f}" if hasattr(value, "normalize") else json.dumps(value)
