"""A key's models hold for forms: what two parsers may read differently is refused."""

import pytest

from tests.serving import payload

EDITS = "/v1/images/edits"
TRANSCRIBE = "/v1/audio/transcriptions"
TYPE = "multipart/form-data; boundary=x"
FILE = (b'name="file"; filename="a.wav"', b"RIFF")
MODEL = b'name="model"'


def form(*fields, boundary=b"x", end=b"--\r\n"):
    written = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n"
        % (boundary, head, content)
        for head, content in fields
    )
    return written + b"--" + boundary + end


def model(name, head=MODEL):
    return head, name


ALLOWED = form(FILE, model(b"small-1"))


@pytest.fixture
def restricted(io_loop, serving):
    token = io_loop.run_sync(lambda: serving.add_key(models=["small-*"]))
    return {"x-api-key": token}


async def send(serving, headers, body, content_type=TYPE, path=TRANSCRIBE):
    return await serving.ask(
        path, body, headers={**headers, "content-type": content_type}
    )


PLAIN = [
    (ALLOWED, TYPE),
    (ALLOWED, 'multipart/form-data; boundary="x"'),
    (form(FILE), TYPE),  # no model: the endpoint has its own
    (form(model(b"small-1"), FILE, end=b"--"), TYPE),
    (form(FILE, (b'name="prompt"', b"model=big-1 --\r\n x")), TYPE),
    (
        ALLOWED.replace(b"RIFF", b"\r\n\0--\r\n-x\r\n\r\n"),
        TYPE,
    ),
    (
        form(
            (FILE[0] + b"\r\nContent-Type: audio/wav", b"RIFF"),
            (MODEL + b"\r\nContent-Type: text/plain; charset=utf-8", b"small-1"),
            (b'name="timestamp_granularities[]"', b"word"),
        ),
        TYPE,
    ),
]


@pytest.mark.gen_test
async def test_a_form_of_an_allowed_model_passes_as_it_came(
    serving, upstream, restricted
):
    for body, content_type in PLAIN:
        answered = await send(serving, restricted, body, content_type)
        assert answered.status == 200, body
        received = upstream.of("transcribe")[-1]
        assert received.body == body
        assert received.headers["content-type"] == content_type


@pytest.mark.parametrize("path", [TRANSCRIBE, EDITS])
@pytest.mark.gen_test
async def test_a_form_of_another_model_is_refused(serving, upstream, restricted, path):
    answered = await send(serving, restricted, form(FILE, model(b"big-1")), path=path)
    assert (answered.status, answered.error["code"]) == (403, "model_not_allowed")
    assert upstream.of("transcribe") + upstream.of("images") == []


BIG = model(b"big-1")
OTHER = "multipart/form-data; "


AMBIGUOUS = [
    # Twice, or by another name for it.
    (form(FILE, model(b"small-1"), BIG), TYPE),
    (form(FILE, BIG, model(b"small-1")), TYPE),
    (form(FILE, model(b"big-1", b'name="model[]"')), TYPE),
    (form(FILE, model(b"big-1", b'name="Model"')), TYPE),
    (form(FILE, model(b"big-1", b"name=model")), TYPE),
    (form(FILE, model(b"big-1", b'name="mod\\el"')), TYPE),
    (form(FILE, model(b"big-1", b"name*=utf-8''model")), TYPE),
    (form(FILE, model(b"big-1", b'name="a"; name="model"')), TYPE),
    (form(FILE, model(b"small-1", MODEL + b'; filename="m"')), TYPE),
    (form(FILE, model(b"small-1", MODEL + b"; filename*=utf-8''m")), TYPE),
    # Not the text it looks like.
    (form(FILE, model(b"small-1\0big-1")), TYPE),
    (form(FILE, model("small-1é".encode())), TYPE),
    (form(FILE, model(b"")), TYPE),
    (
        form(FILE, model(b"c21hbGwtMQ", MODEL + b"\r\nContent-Type: a/b")),
        TYPE,
    ),
    (
        form(
            FILE,
            model(b"YmlnLTE=", MODEL + b"\r\nContent-Transfer-Encoding: base64"),
        ),
        TYPE,
    ),
    # Heads that some read on, or differently.
    (form(FILE, model(b"big-1", b'name="a";\r\n name="model"')), TYPE),
    (form(FILE, model(b"big-1", b'name="a"\nname="model"')), TYPE),
    (
        form(FILE, (MODEL + b'\r\nContent-Disposition: form-data; name="a"', b"")),
        TYPE,
    ),
    (form((FILE[0] + b"\r\nX-Odd: 1", b"RIFF")), TYPE),
    (form((FILE[0] + b"\r\nContent-Type: multipart/mixed", b"RIFF")), TYPE),
    # Delimiters that only some see.
    (form(FILE) + form(BIG), TYPE),
    (b"before\r\n" + form(FILE), TYPE),
    (ALLOWED + b"behind", TYPE),
    (ALLOWED.replace(b"--x\r\n", b"--x \r\n"), TYPE),
    (ALLOWED.replace(b"\r\n", b"\n"), TYPE),
    (form((FILE[0], b"RIFF\n--x\nContent-Disposition: form-data")), TYPE),
    (form((FILE[0], b"RIFF\r\n--xy\r\n")), TYPE),
    (form(FILE)[:-6], TYPE),
    (form(*[FILE] * 101), TYPE),
    # Boundaries that only some see.
    (form(FILE, BIG), OTHER + "boundary=y; boundary=x"),
    (form(FILE, BIG), OTHER + "boundary=x; boundary=y"),
    (form(FILE, BIG), OTHER + "charset=utf-8; boundary=x"),
    (form(FILE, BIG), OTHER + "boundary=x, text/plain"),
    (form(FILE, BIG), "text/plain"),
    (form(FILE, BIG), "application/json"),
    (b'["model", "big-1"]', "application/json"),
    (b"\xff\xfe{\x00}\x00", "application/json"),
    (b"model=big-1", "application/x-www-form-urlencoded"),
    (b'{"model": ["big-1"]}', "application/json"),
    (b'{"model": "small-1"} ' + form(BIG), TYPE),
]


@pytest.mark.gen_test
async def test_a_body_that_can_be_read_in_two_ways_is_refused(
    serving, upstream, restricted
):
    for body, content_type in AMBIGUOUS:
        answered = await send(serving, restricted, body, content_type, EDITS)
        assert answered.status == 400, body
        assert answered.error["code"] == "invalid_request_error"
        assert answered.error["message"].startswith("Invalid request payload")
    assert upstream.of("images") == []


@pytest.mark.parametrize("rules", [{}, {"limits": ["tokens 1M/5h"]}])
@pytest.mark.gen_test
async def test_a_key_of_all_models_sends_what_it_likes(serving, upstream, rules):
    headers = {"x-api-key": await serving.add_key(**rules)}
    odd = form(FILE, model(b"small-1"), BIG)
    assert (await send(serving, headers, odd)).status == 200
    broken = b'{"model": '
    given = await send(serving, headers, broken, "application/json", EDITS)
    assert given.status == 200
    assert upstream.of("transcribe")[0].body == odd
    assert upstream.of("images")[0].body == broken


@pytest.mark.gen_test
async def test_a_turn_of_another_model_is_refused_as_before(serving, restricted):
    answered = await serving.ask(body=payload(), headers=restricted)
    assert answered.status == 403
