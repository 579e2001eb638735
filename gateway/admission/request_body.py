"""Request bodies: collected within the sender's share of the budget, and decoded."""

import asyncio
import io

from gateway.admission.body_budget import BodyBudget, Sender
from gateway.admission.body_decoding import (
    STEP_BYTES,
    StepDecoder,
    decode_within,
    decoder_for,
)
from gateway.errors import PayloadTooLarge

# Decoding a step of less than this takes well under a millisecond: not worth a thread.
LARGEST_INLINE_DECODE = 64 * 1024
# Room for more than one step: many may be small, and each thread costs the loop more.
_MORE_ROOM = 256 * 1024


class BodyReader:
    """One body while it arrives; `release` frees its part of the budget."""

    def __init__(self, budget: BodyBudget, sender: Sender, limit: int) -> None:
        self._lease = budget.open_lease(sender)
        # What could never be taken is refused for good, and not for now.
        self._limit = min(limit, budget.largest_share)
        self._raw = io.BytesIO()
        self.size = 0  # bytes as received

    def feed(self, chunk: bytes) -> None:
        """Raises PayloadTooLarge or GatewayOverloaded; the chunk is dropped then."""
        self.size += len(chunk)
        if self.size > self._limit:
            raise PayloadTooLarge
        self._lease.take(len(chunk))
        self._raw.write(chunk)

    async def decoded(self, encoding: str) -> bytes:
        """The whole body, decoded; `encoding` is the Content-Encoding.

        Raises UndecodableBody, PayloadTooLarge or GatewayOverloaded.
        """
        self._lease.note_arrival()
        raw, self._raw = self._raw.getvalue(), io.BytesIO()  # not copied
        decoder = decoder_for(encoding, raw)
        if decoder is None:
            return raw
        is_small = len(raw) < LARGEST_INLINE_DECODE
        body = await self._decode(decoder, is_small=is_small)
        self._lease.give_back(len(raw))
        return body

    async def _decode(self, decoder: StepDecoder, *, is_small: bool) -> bytes:
        loop = asyncio.get_running_loop()
        decoded = io.BytesIO()
        counted = 0
        step = decoder.plan()
        while step is not None:
            is_inline = is_small and counted < STEP_BYTES
            room = step.most + (0 if is_inline else _MORE_ROOM)
            self._lease.take(room)
            if is_inline:
                done = decode_within(decoder, step, room)
            else:
                done = await loop.run_in_executor(
                    None, decode_within, decoder, step, room
                )
            self._lease.give_back(room - len(done.body))
            counted += done.counted
            if counted > self._limit:
                raise PayloadTooLarge
            decoded.write(done.body)
            step = done.next
        return decoded.getvalue()

    def release(self) -> None:
        self._lease.release()
        self._raw = io.BytesIO()
