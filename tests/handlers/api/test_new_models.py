"""Models that came to upstream after its catalogue was asked for."""

import pytest

from gateway.demo import catalogue
from gateway.demo.answers import ScriptedResponse
from tests.serving import CODEX, V1, payload, turn_on, until

NEW = "gpt-9-new"


async def with_catalogue(serving):
    """The gateway knows what its accounts list."""
    pool = serving.gateway.pool
    await until(lambda: all(one.catalogue for one in pool.accounts.values()))


def add_model(upstream, name=NEW):
    upstream.models.append({**upstream.models[-1], "slug": name})


@pytest.mark.parametrize("path", [CODEX, V1])
@pytest.mark.gen_test
async def test_the_first_request_for_it_is_served(serving, upstream, path):
    await with_catalogue(serving)
    add_model(upstream)
    asked = len(upstream.of("models"))
    answered = await serving.ask(path, payload(model=NEW))
    assert answered.status == 200
    assert len(upstream.of("models")) > asked
    (row,) = await serving.rows()
    assert (row["model"], row["status"]) == (NEW, "success")


@pytest.mark.gen_test
async def test_on_a_socket_too(serving, upstream):
    await with_catalogue(serving)
    add_model(upstream)
    async with serving.socket() as ws:
        assert (await turn_on(ws, model=NEW))[-1]["type"] == "response.completed"


@pytest.mark.gen_test
async def test_a_wrong_name_makes_one_look(serving, upstream):
    await with_catalogue(serving)
    asked, accounts = len(upstream.of("models")), len(serving.gateway.pool.accounts)
    for model in ("no-such", "no-such", "nor-this"):
        answered = await serving.ask(body=payload(model=model))
        assert (answered.status, answered.error["code"]) == (400, "model_not_available")
    assert len(upstream.of("models")) == asked + accounts


@pytest.mark.gen_test
async def test_the_catalogue_is_asked_as_the_newest_client_that_is_known(
    serving, upstream
):
    """An upstream that filters shows the newest default model to us as well."""

    add_model(upstream, "gpt-6.2-sol")

    def filtering(received):
        is_new = "client_version=0.171.0" in received.query
        models = upstream.models if is_new else upstream.models[:-1]
        return catalogue.answer(models, openai=False)

    upstream.answer(filtering, route="models", times=None)
    await serving.restart()
    await with_catalogue(serving)
    assert (await serving.ask(body=payload(model="gpt-6.2-sol"))).status == 200


@pytest.mark.gen_test
async def test_a_look_that_fails_is_no_failure_of_its_own(serving, upstream):
    await with_catalogue(serving)
    broken = ScriptedResponse.json({"detail": "no"}, 500)
    upstream.answer(broken, route="models", times=None)
    answered = await serving.ask(body=payload(model="no-such"))
    assert (answered.status, answered.error["code"]) == (400, "model_not_available")
    assert (await serving.ask()).status == 200
