"""`/internal`: for edges on machines of their own, as `waypost.fleet.courier` says. No part of the API."""

import zlib
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.concurrency import run_in_threadpool

from waypost.control.context import Control, ControlParts, Fleet
from waypost.control.edges.service import edge_of, record_report
from waypost.control.errors import (
    BearerInvalidError,
    BodyTooLargeError,
    InvalidFieldError,
    NotFoundError,
    UnavailableError,
)
from waypost.db.tables import Edge
from waypost.fleet.courier import SEGMENT_BYTES_MAX, WORKER, NotNow, Report, keyring_digest
from waypost.fleet.snapshot import snapshot_mac

router = APIRouter(prefix="/internal", include_in_schema=False)

_PREFIX = "bearer "
_GZIP = 31  # zlib's wbits for a gzip header and a window of 32 KB


def _edge(control: ControlParts, authorization: Annotated[str, Header()] = "") -> Edge:
    if not authorization.lower().startswith(_PREFIX):
        raise BearerInvalidError
    return edge_of(control.database, authorization[len(_PREFIX) :].strip())


Caller = Annotated[Edge, Depends(_edge)]


def _fleet(control: Control) -> Fleet:
    if control.fleet is None:
        raise UnavailableError("this API serves no edges", retry_after_seconds=30)
    return control.fleet


@router.get("/snapshot")
def snapshot(control: ControlParts, _caller: Caller, if_none_match: Annotated[str, Header()] = "") -> Response:
    """What edges are to know."""
    # Read once: it is replaced on another thread, and a name that is not its own would hide it from the edge.
    data = _fleet(control).published.data
    if not data:
        raise UnavailableError("nothing has been published yet", retry_after_seconds=1)
    return _unless_known(data, f'"{snapshot_mac(data)}"', if_none_match)


@router.get("/keyring")
def keyring(control: ControlParts, _caller: Caller, if_none_match: Annotated[str, Header()] = "") -> Response:
    """The link keys."""
    held = control.keyring()
    return _unless_known(held.dump().encode(), f'"{keyring_digest(held)}"', if_none_match)


@router.put("/edges/{name}", status_code=204)
async def report(control: ControlParts, caller: Caller, name: str, request: Request) -> None:
    """What an edge says of itself."""
    if name != caller.name:
        raise NotFoundError(f"edge: edge.name is {name}, and the credential is that of {caller.name}")
    try:
        said = msgspec.json.decode(await request.body(), type=Report)
    except msgspec.DecodeError as error:
        raise InvalidFieldError("body", f"is not a report: {error}") from error
    await run_in_threadpool(record_report, control.database, control.sources, name, said)


@router.post("/spool/{worker}/{segment_id}")
async def segment(control: ControlParts, caller: Caller, worker: str, segment_id: str, request: Request) -> Response:
    """Take a segment into the store: answered once all of it is there."""
    named = WORKER.fullmatch(worker)
    if named is None or named["edge"] != caller.name or not segment_id.startswith(f"{worker}."):
        raise NotFoundError("edge")
    data = _unpacked(await request.body())
    try:
        receipt = await _fleet(control).intake.offer(segment_id, data)
    except NotNow as error:
        raise UnavailableError(str(error), retry_after_seconds=error.retry_after_seconds) from error
    return Response(msgspec.json.encode(receipt), media_type="application/json")


def _unpacked(body: bytes) -> bytes:
    """What was compressed, as far as a segment may be long: no few bytes become gigabytes."""
    unpacking = zlib.decompressobj(_GZIP)
    try:
        data = unpacking.decompress(body, SEGMENT_BYTES_MAX + 1)
    except zlib.error as error:
        raise InvalidFieldError("body", "must be gzip") from error
    if len(data) > SEGMENT_BYTES_MAX:
        raise BodyTooLargeError(SEGMENT_BYTES_MAX)
    if not unpacking.eof:
        raise InvalidFieldError("body", "must be whole: its end is missing")
    return data


def _unless_known(data: bytes, etag: str, known: str) -> Response:
    headers = {"ETag": etag, "Cache-Control": "no-store"}
    if known == etag:
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type="application/octet-stream")
