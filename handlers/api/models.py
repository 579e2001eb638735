"""GET …/models: the Codex catalogue, the OpenAI list, and one model of that."""

from hashlib import blake2b
from typing import Any

from gateway.keys.model_errors import ModelNotFound
from handlers.bodies import BodilessHandler

CODEX_ORIGINATORS = ("codex", "Codex")


class ModelListHandler(BodilessHandler):
    """What the public API tells of models, aliases among them."""

    def with_aliases(
        self, entries: list[dict[str, Any]], etag: str
    ) -> tuple[list[dict[str, Any]], str]:
        """The entries and those of aliases of them; Codex has no use for these."""
        key, rules = self.current_key, self.gateway.rules
        models = (rules if key is None else rules.with_those_of(key.rules)).models
        known = {entry["slug"]: entry for entry in entries}
        named = {
            name: {**known[model], "slug": name}
            for name, model in models.items()
            if model in known
        }
        if not named:
            return entries, etag
        told = f"{etag[1:-1]}{sorted((n, models[n]) for n in named)}".encode()
        digest = blake2b(told, digest_size=16).hexdigest()
        return list((known | named).values()), f'"{digest}"'


class ModelsHandler(ModelListHandler):
    """What the accounts can serve and the key may use; never an error."""

    def get(self) -> None:
        codex = self.surface.is_codex or self._is_codex_client()
        entries, etag = self.gateway.catalogues.listing(self.current_key, codex=codex)
        if not codex:
            entries, etag = self.with_aliases(entries, etag)
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


class ModelHandler(ModelListHandler):
    """One entry of the public list; an unknown name gets those there are."""

    def get(self, name: str) -> None:
        entries, _ = self.with_aliases(
            *self.gateway.catalogues.listing(self.current_key, codex=False)
        )
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
