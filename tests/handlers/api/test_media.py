"""Pictures, searches and transcriptions on their way to upstream."""

import json

import pytest

from gateway.demo.answers import Cut, ScriptedResponse

BASE = "/backend-api/codex"
MEDIA = [
    (BASE + "/images/generations", "/backend-api/codex/images/generations"),
    (BASE + "/v1/images/edits", "/backend-api/codex/images/edits"),
    (BASE + "/alpha/search", "/backend-api/codex/alpha/search"),
    ("/backend-api/transcribe", "/backend-api/transcribe"),
    ("/v1/audio/transcriptions", "/backend-api/transcribe"),
]


@pytest.mark.parametrize(("path", "expected"), MEDIA)
@pytest.mark.gen_test
async def test_media_go_to_fixed_paths_as_they_are(serving, upstream, path, expected):
    body = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    body += b'some \xff bytes, "../../" included'
    given = {"content-type": "multipart/form-data; boundary=x"}
    answered = await serving.ask(path + "?to=http://evil", body, headers=given)
    assert answered.status == 200
    assert answered.headers["content-type"] == "application/json"
    received = next(r for r in upstream.requests if r.path == expected)
    assert received.body == body
    assert received.query == ""
    assert received.headers["content-type"] == given["content-type"]
    (row,) = await serving.rows()
    assert row["status"] == "success"
    assert row["route"] in {
        "images_generations", "images_edits", "alpha_search", "transcribe"
    }  # fmt: skip
    assert row["response_bytes"] == len(answered.body)


@pytest.mark.parametrize("path", ["/backend-api/transcribe", MEDIA[-1][0]])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"file": "x"}'),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b""),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--x--',
        ),
    ],
)
@pytest.mark.gen_test
async def test_a_transcription_needs_a_file(
    serving, upstream, path, content_type, body
):
    answered = await serving.ask(path, body, headers={"content-type": content_type})
    assert answered.status == 400
    assert answered.error["message"] == "Invalid request payload: file is required"
    assert answered.error["param"] == "file"
    assert upstream.requests == []
    (row,) = await serving.rows()
    assert row["error_message"] == answered.error["message"]


@pytest.mark.gen_test
async def test_a_broken_document_fails_over_for_nothing_was_sent(serving, upstream):
    whole = json.dumps({"data": ["x" * 1000]}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    head += b"content-length: %d\r\n\r\n" % len(whole)
    upstream.answer(
        ScriptedResponse((head + whole[:500], Cut.EOF), bare=True),
        route="images",
        account="one",
        times=None,
    )
    upstream.answer(ScriptedResponse.json({"ok": 1}), route="images", account="two")
    answered = await serving.ask(BASE + "/images/generations", {"prompt": "x"})
    assert (answered.status, answered.json) == (200, {"ok": 1})
