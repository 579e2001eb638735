"""Fixtures of these tests."""

import pytest

from gateway.admission.access import Access
from tests.gateway.admission.requests import SETTINGS, make_ring


@pytest.fixture
def door():
    return Access(SETTINGS, make_ring())
