"""The text of a ticket's QR code: random, and as long as a signed one, 108 bytes in base45."""

import secrets

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
BYTES = 108


def ticket_code() -> str:
    letters = []
    data = secrets.token_bytes(BYTES)
    for at in range(0, BYTES, 2):
        rest, low = divmod(data[at] * 256 + data[at + 1], 45)
        high, middle = divmod(rest, 45)
        letters += (ALPHABET[low], ALPHABET[middle], ALPHABET[high])
    return "".join(letters)
