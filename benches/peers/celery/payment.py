"""A payment gateway that answers at once."""

import hashlib


def capture(booking_id: str, _amount_cents: int) -> str:
    """The payment's id: the same booking has the same one."""
    return "pay_" + hashlib.sha256(booking_id.encode()).hexdigest()[:24]
