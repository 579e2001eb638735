"""GET …/models: the Codex catalogue, the OpenAI list, and one model of that."""

from typing import Any

from gateway.keys.model_errors import ModelNotFound
from handlers.bodies import BodilessHandler

CODEX_ORIGINATORS = ("codex", "Codex")


class ModelsHandler(BodilessHandler):
    """What the accounts can serve and the key may use; never an error."""

    def get(self) -> None:
        codex = self.surface.is_codex or self._is_codex_client()
        entries, etag = self.gateway.catalogues.listing(self.current_key, codex=codex)
        self.set_header("etag", etag)
        if self.check_etag_header():
            self.set_status(304)
            return
        if codex:
            self.write_json({"models": entries})
        else:
            self.write_json(
                {"object": "list", "data": [_openai_model(entry) for entry in entries]}
            )

    def _is_codex_client(self) -> bool:
        agent = self.request.headers.get("user-agent", "")
        return agent.startswith(CODEX_ORIGINATORS)


class ModelHandler(BodilessHandler):
    """One entry of the public list; an unknown name gets those there are."""

    def get(self, name: str) -> None:
        entries, _ = self.gateway.catalogues.listing(self.current_key, codex=False)
        known = {entry["slug"]: entry for entry in entries}
        if name not in known:
            raise ModelNotFound(name, known)
        self.write_json(_openai_model(known[name]))


def _openai_model(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": entry.get("slug"),
        "object": "model",
        "created": 0,
        "owned_by": "codex-gateway",
        "metadata": {
            name: entry[name]
            for name in (
                "display_name",
                "description",
                "context_window",
                "input_modalities",
                "supported_reasoning_levels",
                "default_reasoning_level",
            )
            if name in entry
        },
    }
