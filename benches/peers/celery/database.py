"""The transactions. Each may come twice and changes nothing the second time."""

from uuid import UUID

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import IntegrityError

import settings

engine = create_engine(
    make_url(settings.MYSQL_URL).set(drivername="mysql+pymysql", query={"charset": "utf8mb4"}),
    # Used by the threads of the intake; a process of a worker opens one connection.
    pool_size=16,
    pool_recycle=3600,
)

INSERT_BOOKING = text(
    "INSERT INTO bookings (id, show_id, email, name, status, created_at)"
    " VALUES (:id, :show_id, :email, :name, :status, :created_at)"
)
INSERT_BOOKING_IF_NEW = text(f"{INSERT_BOOKING.text} ON DUPLICATE KEY UPDATE id = id")
INSERT_CLAIM = text("INSERT INTO claims (show_id, seat, booking_id) VALUES (:show_id, :seat, :id)")
SELECT_STATUS = text("SELECT status FROM bookings WHERE id = :id")
INSERT_PAYMENT = text(
    "INSERT INTO payments (booking_id, payment_id, amount_cents, created_at)"
    " VALUES (:id, :payment_id, :amount_cents, UTC_TIMESTAMP(6))"
)
SET_CAPTURED = text("UPDATE bookings SET status = 'captured' WHERE id = :id AND status = 'held'")
INSERT_DOCUMENT = text(
    "INSERT INTO documents (booking_id, pdf, created_at) VALUES (:id, :pdf, UTC_TIMESTAMP(6))"
)
SET_CONFIRMED = text(
    "UPDATE bookings SET status = 'confirmed', confirmed_at = UTC_TIMESTAMP(6)"
    " WHERE id = :id AND status = 'captured'"
)


def hold(booking: dict) -> str:
    """Claims all seats or none; returns the booking's status afterwards."""
    row = {
        "id": UUID(booking["id"]).bytes,
        "show_id": booking["show_id"],
        "email": booking["email"],
        "name": booking["name"],
        "created_at": booking["created_at"],
    }
    # Sorted, so that two bookings never wait for each other's seats.
    claims = [{"show_id": row["show_id"], "seat": seat, "id": row["id"]} for seat in sorted(booking["seats"])]
    try:
        with engine.begin() as transaction:
            transaction.execute(INSERT_BOOKING, row | {"status": "held"})
            transaction.execute(INSERT_CLAIM, claims)
        return "held"
    except IntegrityError:
        # A seat is sold, or the booking is known.
        with engine.begin() as transaction:
            transaction.execute(INSERT_BOOKING_IF_NEW, row | {"status": "rejected"})
            return transaction.execute(SELECT_STATUS, {"id": row["id"]}).scalar_one()


def capture(booking_id: str, payment_id: str, amount_cents: int) -> None:
    key = UUID(booking_id).bytes
    try:
        with engine.begin() as transaction:
            transaction.execute(
                INSERT_PAYMENT, {"id": key, "payment_id": payment_id, "amount_cents": amount_cents}
            )
            transaction.execute(SET_CAPTURED, {"id": key})
    except IntegrityError:
        pass


def confirm(booking_id: str, pdf: bytes) -> None:
    key = UUID(booking_id).bytes
    try:
        with engine.begin() as transaction:
            transaction.execute(INSERT_DOCUMENT, {"id": key, "pdf": pdf})
            transaction.execute(SET_CONFIRMED, {"id": key})
    except IntegrityError:
        pass


def status(booking_id: UUID) -> str | None:
    with engine.connect() as connection:
        return connection.execute(SELECT_STATUS, {"id": booking_id.bytes}).scalar()


def check() -> None:
    """Raises when the database doesn't answer."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
