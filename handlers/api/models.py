"""GET …/models: the Codex catalogue, and the OpenAI list on the public surface."""

from typing import Any

from handlers.bodies import BodilessHandler

CODEX_ORIGINATORS = ("codex", "Codex")


class ModelsHandler(BodilessHandler):
    """What the accounts can serve and the key may use; never an error."""

    def get(self) -> None:
        codex = self.surface.is_codex or self._is_codex_client()
        catalogues = self.gateway.catalogues
        if codex:
            version = self.get_query_argument("client_version", None)
            catalogues.note_client_version(version)
        entries, etag = catalogues.listing(self.current_key, codex=codex)
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
