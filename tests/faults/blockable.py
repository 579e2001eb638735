"""A gateway as `run.py` serves it, whose loop a signal keeps from turning.

SIGUSR1: it computes; SIGUSR2: it waits for something; SIGWINCH: garbage is collected.
"""

import asyncio
import gc
import signal
import sys
import time

from gateway.settings import Settings
from handlers.process import run_server

SECONDS = 0.3


def compute_too_long():
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:
        sum(range(1000))


def wait_for_a_slow_disk():
    time.sleep(SECONDS)


def look_for_garbage():
    gc.disable()  # it is to be looked for below, and only there
    kept = [[] for _ in range(300_000)]
    end = time.thread_time() + SECONDS
    while time.thread_time() < end:
        gc.collect()
    kept.clear()
    gc.enable()


FAULTS = {
    signal.SIGUSR1: compute_too_long,
    signal.SIGUSR2: wait_for_a_slow_disk,
    signal.SIGWINCH: look_for_garbage,
}


def install(port):
    loop = asyncio.get_running_loop()
    for number, fault in FAULTS.items():
        loop.add_signal_handler(number, fault)


if __name__ == "__main__":
    sys.exit(run_server(Settings.from_env(), on_ready=install))
