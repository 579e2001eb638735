"""Heads of pictures and recordings, as their formats have them."""

from struct import pack


def png(width, height):
    return b"\x89PNG\r\n\x1a\n" + pack(">I4sII", 13, b"IHDR", width, height)


def gif(width, height):
    return b"GIF89a" + pack("<HH", width, height) + bytes(20)


def jpeg(width, height, before=b""):
    frame = pack(">BBHBHH", 0xFF, 0xC0, 17, 8, height, width) + bytes(10)
    return b"\xff\xd8" + before + frame


def jpeg_segment(kind, data):
    return pack(">BBH", 0xFF, kind, len(data) + 2) + data


def webp(kind, rest):
    return b"RIFF" + pack("<I", 100) + b"WEBP" + kind + pack("<I", 50) + rest


def wav(seconds, rate=16_000, channels=1):
    size = seconds * rate * channels * 2
    format = pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    head = b"RIFF" + pack("<I", 36 + size) + b"WAVEfmt " + pack("<I", 16) + format
    return head + b"data" + pack("<I", size) + bytes(size)


def ogg(seconds, size, rate=None):
    first = b"OpusHead" if rate is None else b"\x01vorbis" + bytes(5) + pack("<I", rate)
    last = b"OggS\0\x04" + pack("<q", seconds * (rate or 48_000))
    return (b"OggS" + bytes(24) + first).ljust(size - 100, b"\0") + last + bytes(86)


def flac(seconds, size, rate=44_100):
    packed = rate << 44 | seconds * rate
    return (b"fLaC" + bytes(14) + pack(">Q", packed)).ljust(size, b"\0")


def mp3(seconds, kbits_index=5, tag=b""):
    """MPEG-1, layer III; index 5 is 64 kbit/s."""
    return (tag + pack(">HB", 0xFFFB, kbits_index << 4)).ljust(seconds * 8_000, b"\0")


def mp4(seconds, size, version=0):
    times = pack(">QQIQ" if version else ">IIII", 0, 0, 1000, seconds * 1000)
    box = b"mvhd" + bytes([version, 0, 0, 0]) + times
    return (pack(">I4s", 16, b"ftyp") + b"isom" + bytes(4)).ljust(size, b"\0") + box
