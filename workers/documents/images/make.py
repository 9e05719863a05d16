"""Draws logo.png, the ticket in the head of mails: `python3 make.py`. Needs nothing but Python."""

import math
import struct
import zlib
from pathlib import Path

SIDE = 96
# Samples per pixel and direction, for soft edges.
SAMPLES = 4
RED = (0xB2, 0x21, 0x3A)
WHITE = (255, 255, 255)
TILT = math.radians(-18)
WIDTH, HEIGHT, CORNER = 38, 22, 5
# Where the ticket is torn, from its middle.
TEAR = 14


def on_card(x, y):
    """The red square with round corners."""
    side = abs(x - 48) - 34, abs(y - 48) - 34
    return not (side[0] > 0 and side[1] > 0 and side[0] ** 2 + side[1] ** 2 > 14**2)


def on_ticket(x, y):
    x, y = x - 48, y - 48
    u = x * math.cos(TILT) - y * math.sin(TILT)
    v = x * math.sin(TILT) + y * math.cos(TILT)
    if abs(u) > WIDTH or abs(v) > HEIGHT:
        return False
    if any((u - TEAR) ** 2 + (v - notch) ** 2 < 36 for notch in (-HEIGHT, HEIGHT)):
        return False
    du, dv = abs(u) - (WIDTH - CORNER), abs(v) - (HEIGHT - CORNER)
    if du > 0 and dv > 0 and du * du + dv * dv > CORNER**2:
        return False
    if abs(u - TEAR) < 1.1 and (v + 40) % 6 < 3.4:
        return False
    # The triangle that starts a film.
    return not (-8 <= u + 13 <= 10 and abs(v) <= (10 - u - 13) * 0.61)


def pixel(x, y):
    points = [
        (x + (i + 0.5) / SAMPLES, y + (j + 0.5) / SAMPLES)
        for j in range(SAMPLES)
        for i in range(SAMPLES)
    ]
    inks = [WHITE if on_ticket(*point) else RED for point in points if on_card(*point)]
    if not inks:
        return bytes(4)
    mean = [round(sum(ink[k] for ink in inks) / len(inks)) for k in range(3)]
    return bytes([*mean, round(255 * len(inks) / len(points))])


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(SIDE)) for y in range(SIDE))
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 6, 0, 0, 0))
png += chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
Path(__file__).with_name("logo.png").write_bytes(png)
