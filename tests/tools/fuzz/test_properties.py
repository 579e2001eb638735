"""The properties hold for what is known, and for what hypothesis thinks of."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.tools.fuzz.properties import PROPERTIES
from tests.tools.fuzz.seeds import KNOWN, seeds
from tests.tools.fuzz.source import any_bytes

NIGHTLY_SECONDS = 60
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_holds_for_its_seeds_and_what_once_broke_it(name):
    for data in seeds(name):
        PROPERTIES[name](data)


def test_what_once_broke_something_belongs_to_a_property():
    assert KNOWN.keys() <= PROPERTIES.keys()


@pytest.mark.parametrize("name", PROPERTIES)
@settings(deadline=None)  # the machine may have other things to do
@given(data=any_bytes)
def test_a_property_holds_for_any_bytes(name, data):
    PROPERTIES[name](data)


@pytest.mark.nightly
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed"
)
@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_holds_for_what_coverage_leads_to(name):
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.tools.fuzz",
            name,
            f"--seconds={NIGHTLY_SECONDS}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=NIGHTLY_SECONDS * 3 + 60,
        check=False,
    )
    print(ran.stderr[-2000:])
    assert ran.returncode == 0, ran.stderr[-4000:]
