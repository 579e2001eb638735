"""What has to be done while no gateway runs."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from gateway.process.database_lock import held_alone
from gateway.process.lockfile import AlreadyRunning, RunningGateway, lock_data_dir
from gateway.settings import Settings


@contextmanager
def without_gateway(settings: Settings, command: str, *urls: str) -> Iterator[None]:
    """Keep gateways from the data directory and its database, and others, meanwhile."""
    with ExitStack() as held:
        try:
            lock = held.enter_context(lock_data_dir(settings.data_dir))
            lock.publish(RunningGateway(os.getpid(), command=command))
            for url in (settings.direct_url, *urls):
                held.enter_context(held_alone(url, settings.data_dir))
        except AlreadyRunning as error:
            told = f"`{command}` needs the gateway stopped. {error}"
            raise click.ClickException(told) from error
        yield
