"""Chat parameters that the Responses API has nothing for.

They only shape how tokens are drawn, so the answer is as good without them. A
compatible server may take them.
"""

from collections.abc import Mapping
from typing import Any

NO_COUNTERPART = (
    "frequency_penalty",
    "logit_bias",
    "prediction",
    "presence_penalty",
    "seed",
)


def without_counterpart(request: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a chat request that say something."""
    found = {name: request.get(name) for name in NO_COUNTERPART}
    return {name: value for name, value in found.items() if value is not None}
