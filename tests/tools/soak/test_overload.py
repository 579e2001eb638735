"""More turns than the accounts can take: what is refused is refused at once."""

import pytest

from tests.tools.soak.overload import Load, overload

# A machine that does other things, too; the benchmark's bars are for one that does not.
SLACK = 10.0


@pytest.mark.soak
@pytest.mark.alone
@pytest.mark.gen_test(timeout=120)
async def test_overload_is_refused_at_once_and_the_rest_served(io_loop, tmp_path):
    seen = await overload(tmp_path, Load(seconds=8.0, cap=5, words=25))
    print(seen.table())
    assert not list(seen.wrong(SLACK))
    # As many run as can, half as many wait: who gets through does not wait for long.
    assert len(seen.admitted) < len(seen.refused)


@pytest.mark.nightly
@pytest.mark.gen_test(timeout=180)
async def test_overload_within_its_bars(io_loop, tmp_path):
    seen = await overload(tmp_path, Load())
    print(seen.table())
    assert not list(seen.wrong())
