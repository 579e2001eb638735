"""RingBuffer: the newest lines, within a duration and a size."""

from collections import deque


class RingBuffer:
    """Lines no older than `seconds`, together no larger than `size` bytes.

    Times are seconds of a clock that does not go back.
    """

    def __init__(self, *, seconds: float, size: int) -> None:
        self._seconds = seconds
        self._size = size
        self._lines: deque[tuple[float, bytes]] = deque()
        self.used = 0  # bytes

    def add(self, now: float, line: bytes) -> None:
        """A line without its line end, which counts as well."""
        self._lines.append((now, line))
        self.used += len(line) + 1
        while self._lines and (
            self.used > self._size or self._lines[0][0] < now - self._seconds
        ):
            _, gone = self._lines.popleft()
            self.used -= len(gone) + 1

    def lines(self) -> list[bytes]:
        """Oldest first."""
        return [line for _, line in self._lines]
