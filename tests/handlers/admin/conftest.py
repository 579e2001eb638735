"""Fixtures of these tests."""

import pytest

from tests.handlers.admin.operators import Operator


@pytest.fixture
def operator(serving):
    return Operator(serving)
