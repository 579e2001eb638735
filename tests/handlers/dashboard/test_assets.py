"""What pages load: others' scripts as npm has them, our style sheet, and how much."""

import hashlib
import json
import re
from itertools import product

import pytest

from handlers.dashboard import components
from handlers.dashboard.static_files import STATIC, static_files, static_url
from tests.tools import assets

TEMPLATES = STATIC.with_name("templates")
PAGE_BYTES = 200 * 1024
OWN_HTML = 40 * 1024  # of the longest page; the browser's tests count real ones


def test_what_is_shipped_is_recorded_and_pinned():
    recorded = json.loads(assets.VERSIONS.read_text())
    pinned = json.loads((assets.ROOT / "package.json").read_text())["dependencies"]
    lock = json.loads(assets.LOCK.read_text())["packages"]
    for name, one in recorded.items():
        content = (assets.SHIPPED / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one["sha256"], name
        assert one["version"] == pinned[one["package"]]
        assert lock[f"node_modules/{one['package']}"]["version"] == one["version"]
    others = {path.name for path in assets.SHIPPED.iterdir()} - recorded.keys()
    assert others == {"versions.json", "LICENCES.txt"}


@pytest.mark.skipif(
    not assets.INSTALLED.joinpath("htmx.org").exists(), reason="npm ci was not run"
)
def test_what_is_shipped_is_what_npm_has():
    installed = assets.integrity(assets.INSTALLED / ".package-lock.json")
    assert installed == assets.integrity(assets.LOCK)
    assert json.loads(assets.VERSIONS.read_text()) == assets.versions()
    assert assets.LICENCES.read_text() == assets.licences()


def loaded_by(template):
    """What a page's head names, with what it includes there."""
    text = (TEMPLATES / template).read_text()
    names = re.findall(r"static_url\('([^']+)'\)", text)
    if 'include "charts.html"' in text:
        names += loaded_by("charts.html")
    return names


def test_one_page_loads_less_than_200_kb():
    shared = loaded_by("layout.html")
    assert {"htmx.js", "dashboard.css", "dashboard.js"} <= set(shared)
    pages = {path.relative_to(TEMPLATES) for path in TEMPLATES.rglob("*.html")}
    for page in pages:
        names = {*shared, *loaded_by(page)}
        whole = sum(len(static_files()[name].content) for name in names)
        assert whole + OWN_HTML < PAGE_BYTES, page


@pytest.mark.parametrize(
    ("word", "needed"), [("data-chart", "uplot.js"), ("sse-connect", "htmx-sse.js")]
)
def test_a_page_loads_what_it_needs(word, needed):
    """Beside what all pages load; a part may be included by several of them."""
    texts = {path.name: path.read_text() for path in TEMPLATES.rglob("*.html")}
    using = {name for name, text in texts.items() if word in text}
    assert using
    for name, text in texts.items():
        parts = {*re.findall(r'include "([^"]+)"', text), name}
        if "{% extends" in text and parts & using:
            assert needed in loaded_by(name), name


def test_nothing_is_loaded_from_elsewhere():
    for path in [*TEMPLATES.rglob("*.html"), *STATIC.glob("*.*")]:
        text = path.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert "//" not in re.sub(r"^ *//.*$|[;,{] // .*$", "", text, flags=re.M), path


def test_templates_put_in_nothing_raw_but_components():
    """And neither a script, nor a style, nor what an event does: the policy forbids."""
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        raw = re.findall(r"{% *(?:raw|module) +([^%(]*)", text)
        assert set(raw) <= {*components.__all__}, path
        inline = r"<style|\bstyle=|\son[a-z]+=[\"']|javascript:"
        assert not re.search(inline, text), path
        assert not re.search(r"<script(?! src=\"{{ static_url)", text), path
        assert "autoescape" not in text, path


def test_scripts_of_ours_run_no_text():
    text = (STATIC / "dashboard.js").read_text()
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "Function("):
        assert word not in text


def test_a_file_is_found_by_its_content():
    url = static_url("dashboard.css")
    content = (STATIC / "dashboard.css").read_bytes()
    assert url.split("/")[3] == hashlib.sha256(content).hexdigest()[:16]
    with pytest.raises(KeyError):
        static_url("../rendering.py")
    assert not {"versions.json", "LICENCES.txt"} & static_files().keys()


# -- Contrast: WCAG 2.2, 1.4.3 and 1.4.11 ----------------------------------------------

GROUNDS = ("ground", "surface", "sunken")
TEXTS = [
    *product(("ink", "ink-soft", "accent", "bad"), GROUNDS),
    *[(level, f"{level}-soft") for level in ("good", "warn", "bad", "info")],
    *[("ink", f"{level}-soft") for level in ("good", "warn", "bad", "info", "accent")],
    *[("accent", f"{level}-soft") for level in ("good", "warn", "bad", "info")],
    ("accent", "accent-soft"),
    ("on-accent", "accent"),
]
SHAPES = [
    *product(("field-line", "accent", "bad"), GROUNDS),
    *[(f"chart-{n}", "surface") for n in range(1, 7)],
]


def palettes():
    text = (STATIC / "dashboard.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\n *\}", text, re.S)
    values = dict(re.findall(r"--([\w-]+): (#\w+);", light))
    return {
        "light": values,
        "dark": values | dict(re.findall(r"--([\w-]+): (#\w+);", dark)),
    }


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_told_from_its_ground(scheme):
    colours = palettes()[scheme]
    found = {
        (front, back): contrast(colours[front], colours[back])
        for front, back in TEXTS + SHAPES
    }
    assert {pair: n for pair, n in found.items() if n < 3} == {}
    assert {pair: found[pair] for pair in TEXTS if found[pair] < 4.5} == {}
