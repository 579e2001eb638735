"""The channels that the settings ask for, and how they are tried."""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

import aiohttp

from gateway.monitoring.observed import Observed
from gateway.notifications.channel_queue import ChannelQueue
from gateway.notifications.channels import Channel, Ntfy, Webhook, send_in_time
from gateway.notifications.mail import Mail
from gateway.notifications.notice import ChannelFailed, Notice, new_message_id
from gateway.notifications.notifications import Notifications
from gateway.settings import Settings


class Tried(NamedTuple):
    """What a channel made of a test."""

    channel: str
    ok: bool
    answer: str


def open_channels(session: aiohttp.ClientSession, settings: Settings) -> list[Channel]:
    """Those that are set; over HTTP they use the session, whose owner closes it."""
    found: list[Channel] = []
    webhook, secret = settings.notify_webhook_url, settings.notify_webhook_secret
    if webhook is not None and secret is not None:
        found.append(Webhook(session, webhook, secret))
    if settings.notify_ntfy_url is not None:
        token = settings.notify_ntfy_token
        found.append(Ntfy(session, settings.notify_ntfy_url, token))
    if settings.notify_mail_url is not None:
        found.append(Mail(settings))
    return found


def open_notifications(
    gateway: Observed, session: aiohttp.ClientSession, settings: Settings
) -> Notifications:
    """Those of a gateway, by the channels that are set."""
    queues = [ChannelQueue(one) for one in open_channels(session, settings)]
    return Notifications(gateway, queues)


async def try_channels(channels: Sequence[Channel]) -> list[Tried]:
    """Tell each of them something, all at once."""
    title, text = "A test", "Notifications of the gateway arrive here."
    at = time.time()
    notice = Notice(new_message_id(), "test", "", 1, title, text, {}, at)
    return await asyncio.gather(*(_try(channel, notice) for channel in channels))


async def _try(channel: Channel, notice: Notice) -> Tried:
    try:
        return Tried(channel.name, True, await send_in_time(channel, notice))
    except ChannelFailed as failure:
        return Tried(channel.name, False, str(failure))
