"""Command line: writes gateway/pricing/prices.json of what the sources say today.

genai-prices as installed, and the newest litellm of pip's index, whose wheel is read
and not installed. A release's step; CHANGELOG and the differences are for a person.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers

from gateway.pricing.price_list import read_price_list
from tests.tools.prices.merging import as_json, merge
from tests.tools.prices.sources import genai_rates, litellm_rates

LIST = Path(__file__).parents[3] / "gateway/pricing/prices.json"
_TABLE = "litellm/model_prices_and_context_window_backup.json"
_NOT_READ = "not read: there is no way to it from where this was made"


def litellm_table() -> tuple[str, dict[str, Any]]:
    """The newest release, and its table."""
    with tempfile.TemporaryDirectory() as folder:
        command = "-m pip download --quiet --no-deps --only-binary :all: litellm -d"
        subprocess.run([sys.executable, *command.split(), folder], check=True)
        [wheel] = Path(folder).glob("litellm-*.whl")
        with zipfile.ZipFile(wheel) as files:
            return wheel.name.split("-")[1], json.loads(files.read(_TABLE))


def main() -> int:
    today = datetime.now(UTC).date()
    [openai] = [one for one in providers if one.id == "openai"]
    release, table = litellm_table()
    sources = (
        genai_rates(openai, version("genai-prices"), today),
        litellm_rates(table, release),
    )
    document = {
        "sources": {
            "genai-prices": f"{version('genai-prices')}; dates are its own",
            "litellm": f"{release}; tells no dates: the day it was read",
            "developers.openai.com/api/docs/pricing": _NOT_READ,
        },
        "date": today.isoformat(),
        "models": merge(sources, today.isoformat()),
    }
    text = as_json(document)
    read_price_list(text.encode(), str(LIST))  # nothing is written that does not load
    LIST.write_text(text)
    disputed = text.count('"others"')
    print(f"{len(document['models'])} entries, {disputed} rates with another opinion")
    return 0


if __name__ == "__main__":
    sys.exit(main())
