"""Streams of server-sent events."""

PIECES = [
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"data",
    b": ",
    b":",
    b"data: ",
    b'data: {"type":"response.created"}',
    b"event: x",
    b": comment",
    "data: é€𐍈".encode(),
    b"\x00\xff",
]
