"""Clients of others, each really installed, at a gateway before the scripted upstream.

`python -m tests.tools.clients [--only REGEX] [--verbose]`: a row a client, and what it
did not make of the answers. Exits with 1 when there is any; a client that cannot be
installed or run here is no pass.
"""

import argparse
import asyncio
import re
import sys

from tests.tools.clients.running import install, output_of, shortcomings, stand
from tests.tools.clients.table import CLIENTS


async def run_all(options: argparse.Namespace) -> bool:
    all_good = True
    print("| client | version | works |\n| --- | --- | --- |")
    async with stand() as (gateway, key):
        for client in CLIENTS:
            if not re.search(options.only, client.name):
                continue
            failure = await install(client)
            if failure:
                verdict, details = "NOT INSTALLED", [failure]
            else:
                output = await output_of(client, gateway, key)
                details = shortcomings(client, output)
                verdict = "NO" if details else ", ".join(client.lines)
                details += [output] if details or options.verbose else []
            all_good &= verdict[0].islower()
            print(f"| {client.name} | {client.version} | {verdict} |", flush=True)
            for detail in details:
                print(f"    {detail}", flush=True)
        if options.verbose:
            print(gateway.log())
    return all_good


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.clients")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true", help="all that is printed")
    return 0 if asyncio.run(run_all(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
