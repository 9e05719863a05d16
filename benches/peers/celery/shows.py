"""What is known of a show. A constant: looking it up is not part of the comparison."""

from typing import NamedTuple


class Show(NamedTuple):
    title: str
    hall: str
    price_cents: int


def show(_show_id: str) -> Show:
    return Show(title="Paper Satellites", hall="Great Hall", price_cents=1250)
