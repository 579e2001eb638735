"""Gateway: builds the parts, starts and stops them in order."""

import asyncio
import time
from collections.abc import Callable

from gateway.access import Access
from gateway.accounts.catalogue import Catalogues
from gateway.accounts.pool import Pool
from gateway.accounts.usage import UsagePoller
from gateway.admin.records import AccountStore, load_accounts, load_keys
from gateway.bodies import BodyBudget
from gateway.channel import Channel
from gateway.exchange import ClientRequest
from gateway.inbox import Frame
from gateway.keys import KeyRing
from gateway.limits import Limiter
from gateway.proxy import Proxy
from gateway.settings import Settings
from gateway.store.secrets import SecretBox
from gateway.store.store import Store
from gateway.turn import Turns
from gateway.upstream.http import UpstreamHttp, open_session
from gateway.upstream.oauth import TokenSource
from gateway.upstream.ws import UpstreamSockets
from gateway.view import View

# Counters, bindings and account states are handed to the writer this often: what
# a killed process may lose of them.
PERSIST_SECONDS = 0.5
