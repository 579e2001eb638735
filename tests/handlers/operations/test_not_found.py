"""A 404 says what is missing, or which base URL is the right one."""

import pytest

from tests.serving import payload


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("//", "/v1"),
        ("/v1", "/v1"),
        ("/v1/", "/v1"),
        ("//v1/responses", "/v1"),
        ("/v1//responses", "/v1"),
        ("/v1/v1/responses", "/v1"),
        ("/responses", "/v1"),
        ("/chat/completions", "/v1"),
        ("/models", "/v1"),
        ("/api/v1/chat/completions", "/v1"),
        ("/v1/responses/", "/v1"),
        ("/v1/nope", "/v1"),
        ("/backend-api/codex", "/backend-api/codex"),
        ("/backend-api/responses", "/backend-api/codex"),
        ("/backend-api/codex/v1/v1/responses", "/backend-api/codex"),
        ("/v1/backend-api/codex/responses", "/backend-api/codex"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.gen_test
async def test_the_right_base_url_is_named(serving, path, base, method):
    # The client library would put such a path right.
    reader, writer = await serving.connect()
    head = "%s %s HTTP/1.1\r\nHost: localhost:2455\r\nConnection: close\r\n\r\n"
    writer.write((head % (method, path)).encode())
    answer = (await reader.read()).decode()
    writer.close()
    assert " 404 " in answer.partition("\r\n")[0]
    assert f'"Not Found: the base URL is http://localhost:2455{base}"' in answer


@pytest.mark.settings(public_url="https://gateway.example.com")
@pytest.mark.gen_test
async def test_the_owner_s_origin_goes_before_the_client_s(serving):
    answered = await serving.get("/responses")
    assert answered.error["message"].endswith("https://gateway.example.com/v1")


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/v1/responses/resp_1", "a stored response is not available"),
        ("DELETE", "/v1/responses/resp_1", "a stored response is not available"),
        ("POST", "/v1/responses/resp_1/cancel", "a stored response is not available"),
        ("GET", "/v1/responses/resp_1/input_items", "a stored response is not"),
        ("GET", "/backend-api/codex/responses/resp_1", "a stored response is not"),
        ("GET", "/v1/chat/completions/chatcmpl-1", "a stored completion is not"),
        ("POST", "/v1/conversations", "a conversation is not available"),
        ("GET", "/v1/conversations/conv_1/items", "a conversation is not available"),
        ("GET", "/v1/files", "a file is not available"),
        ("POST", "/v1/files", "a file is not available"),
        ("GET", "/v1/files/file-1/content", "a file is not available"),
        ("POST", "/v1/uploads", "a file is not available"),
        ("GET", "/v1/vector_stores", "a vector store is not available"),
        ("POST", "/v1/completions", "use chat/completions"),
        ("POST", "/v1/moderations", "moderations is not available"),
        ("POST", "/v1/audio/speech", "audio/speech is not available"),
    ],
)
@pytest.mark.gen_test
async def test_what_is_not_here_is_told_as_such(serving, upstream, method, path, said):
    body = payload() if method == "POST" else None
    answered = await serving.ask(path, body, method=method)
    assert (answered.status, answered.error["code"]) == (404, "not_found")
    assert answered.error["message"].startswith("Not Found: ")
    assert said in answered.error["message"]
    assert upstream.of() == []


@pytest.mark.parametrize("path", ["/admin", "/admin/nope", "/health/nope"])
@pytest.mark.gen_test
async def test_no_client_looks_for_its_api_there(serving, path):
    assert (await serving.get(path)).error["message"] == "Not Found"
