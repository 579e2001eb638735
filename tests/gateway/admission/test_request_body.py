"""Bodies in the clear, whatever a client did to them, within a bound."""

import asyncio
import gzip
import os
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.body_budget import BodyBudget, Sender
from gateway.admission.request_body import BodyReader
from gateway.errors import GatewayOverloaded, PayloadTooLarge
from tests.serving import until

LIMIT = 10_000
MEBIBYTE = 1 << 20
ONE, OTHER = Sender("key 1", has_key=True), Sender("key 2", has_key=True)
bodies = st.binary(max_size=2_000)


class Watched(BodyBudget):
    """Notes the most that was ever taken."""

    peak = 0

    def take(self, sender, size, *, is_known):
        super().take(sender, size, is_known=is_known)
        self.peak = max(self.peak, self.used)


def read(budget, raw, encoding="", *, limit=LIMIT):
    reader = BodyReader(budget, ONE, limit)
    try:
        reader.feed(raw)
        return asyncio.run(reader.decoded(encoding))
    finally:
        reader.release()
        assert budget.used == 0


def test_the_budget_is_shared_and_given_back():
    budget = BodyBudget(200)
    first, second = (BodyReader(budget, one, 200) for one in (ONE, OTHER))
    first.feed(b"x" * 90)
    with pytest.raises(GatewayOverloaded):
        second.feed(b"x" * 60)
    first.release()
    second = BodyReader(budget, OTHER, 200)
    second.feed(b"x" * 60)
    second.release()
    assert budget.used == 0


def test_one_body_is_bounded():
    with pytest.raises(PayloadTooLarge):
        read(BodyBudget(1_000), b"x" * 11, limit=10)


def test_what_never_fits_the_budget_is_too_large_for_good():
    with pytest.raises(PayloadTooLarge):
        read(BodyBudget(1_000), b"x" * 501)


@given(body=bodies, encoding=st.sampled_from(["", "identity", "zstd", " ZSTD "]))
def test_zstd_is_known_by_its_magic_whatever_the_header_says(body, encoding):
    raw = zstandard.compress(body)
    assert read(BodyBudget(100_000), raw, encoding) == body


def raw_deflate(body):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


BOMBS = {
    "zstd": ("zstd", zstandard.compress),
    "frames": ("zstd", lambda body: zstandard.compress(body[:100_000]) * 500),
    "gzip": ("gzip", gzip.compress),
    "members": ("gzip", lambda body: gzip.compress(body[:100_000]) * 500),
    "zlib": ("deflate", zlib.compress),
    "deflate": ("deflate", raw_deflate),
}


@pytest.mark.parametrize(("encoding", "encode"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_before_it_is_held(encoding, encode):
    budget = Watched(64 * MEBIBYTE)
    with pytest.raises(PayloadTooLarge):
        read(budget, encode(b"\0" * 50_000_000), encoding, limit=MEBIBYTE)
    assert budget.peak < 5 * MEBIBYTE


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_what_a_body_becomes_is_taken_from_the_budget_step_by_step(encoding):
    """Several at once share what there is; who gets none gives up what it took."""
    encode = {"zstd": zstandard.compress, "gzip": gzip.compress}[encoding]
    budget, raw = Watched(32 * MEBIBYTE), encode(b"\0" * 12 * MEBIBYTE)

    async def one(reader):
        try:
            reader.feed(raw)
            return len(await reader.decoded(encoding))
        except GatewayOverloaded:
            return 0
        finally:
            reader.release()

    async def all_at_once():
        readers = [BodyReader(budget, ONE, 16 * MEBIBYTE) for _ in range(12)]
        return await asyncio.gather(*map(one, readers))

    assert set(asyncio.run(all_at_once())) <= {0, 12 * MEBIBYTE}
    assert 10 * MEBIBYTE < budget.peak <= 16 * MEBIBYTE
    assert budget.used == 0
    assert read(budget, raw, encoding, limit=16 * MEBIBYTE) == b"\0" * 12 * MEBIBYTE


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_a_step_is_taken_before_it_is_done_with_what_the_decoder_needs(encoding):
    encode = {"zstd": zstandard.compress, "gzip": gzip.compress}[encoding]
    budget, body = Watched(32 * MEBIBYTE), b"\0" * 4 * MEBIBYTE
    assert read(budget, encode(body), encoding, limit=8 * MEBIBYTE) == body
    assert budget.peak > len(body) + 16 * 1024


class CountingExecutor(ThreadPoolExecutor):
    calls = 0

    def submit(self, *args, **kwargs):
        self.calls += 1
        return super().submit(*args, **kwargs)


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_many_small_members_take_few_threads(encoding):
    """Each was a step of its own, which costs the loop more than its decoding."""
    encode = {"zstd": zstandard.compress, "gzip": gzip.compress}[encoding]
    executor, member = CountingExecutor(1), os.urandom(400)

    async def decoded():
        asyncio.get_running_loop().set_default_executor(executor)
        reader = BodyReader(BodyBudget(64 * MEBIBYTE), ONE, 32 * MEBIBYTE)
        reader.feed(encode(member) * 1_000)
        return await reader.decoded(encoding)

    assert asyncio.run(decoded()) == member * 1_000
    assert executor.calls < 50


def test_a_body_given_up_while_it_is_decoded_leaves_nothing():
    async def leave():
        budget = BodyBudget(64 * MEBIBYTE)
        reader = BodyReader(budget, ONE, 32 * MEBIBYTE)
        reader.feed(gzip.compress(b"\0" * 20 * MEBIBYTE))
        decoding = asyncio.create_task(reader.decoded("gzip"))
        await until(lambda: budget.used >= 5 * MEBIBYTE)
        decoding.cancel()
        await asyncio.wait({decoding})
        reader.release()
        return budget.used

    assert asyncio.run(leave()) == 0
