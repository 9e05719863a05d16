"""The HTTP intake: accepts bookings into the first queue and says how far they are."""

import logging
from collections import OrderedDict
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from typing import Annotated
from uuid import UUID

import anyio.to_thread
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy.exc import OperationalError

import broker
import database
import settings
import tasks

CONFIRM_SECS_MAX = 2
# Accepted bookings that the first stage may not have seen yet.
REMEMBERED_MAX = 100_000

log = logging.getLogger("intake")


def all_different(seats: list[str]) -> list[str]:
    if len(set(seats)) != len(seats):
        raise ValueError("a seat is named twice")
    return seats


Seat = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,60}-[0-9]{1,3}$")]
Seats = Annotated[list[Seat], Field(min_length=1, max_length=10), AfterValidator(all_different)]


class Booking(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    show_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    seats: Seats
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]


class Accepted(BaseModel):
    id: UUID


class Status(BaseModel):
    id: UUID
    status: str


@asynccontextmanager
async def lifespan(_: FastAPI):
    anyio.to_thread.current_default_thread_limiter().total_tokens = broker.CONNECTIONS_MAX
    yield


api = FastAPI(lifespan=lifespan, openapi_url=None)
remembered: OrderedDict[UUID, None] = OrderedDict()


@api.exception_handler(OperationalError)
def database_is_away(_: Request, error: OperationalError) -> JSONResponse:
    log.warning("%r", error)
    return JSONResponse({"detail": "try again"}, 503)


@api.post("/bookings", status_code=202)
async def submit(booking: Booking) -> Accepted:
    command = booking.model_dump(mode="json")
    command["created_at"] = datetime.now(timezone.utc).replace(tzinfo=None).isoformat(" ")
    try:
        await run_in_threadpool(broker.publish, tasks.hold, command, CONFIRM_SECS_MAX)
    except Exception as error:
        log.warning("booking %s was not confirmed: %r", booking.id, error)
        raise HTTPException(503, "try again") from error
    remembered[booking.id] = None
    if len(remembered) > REMEMBERED_MAX:
        remembered.popitem(last=False)
    return Accepted(id=booking.id)


@api.get("/bookings/{booking_id}")
async def read(booking_id: UUID) -> Status:
    status = await run_in_threadpool(database.status, booking_id)
    if status is None and booking_id in remembered:
        status = "pending"
    if status is None:
        raise HTTPException(404, "unknown")
    return Status(id=booking_id, status=status)


@api.get("/healthz")
def healthz() -> dict:
    try:
        database.check()
        broker.check()
    except Exception as error:
        raise HTTPException(503, repr(error)) from error
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(
        api,
        host="127.0.0.1",
        port=settings.HTTP_PORT,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=3,
    )
