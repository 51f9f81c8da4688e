"""The database sessions of a request, as dependencies."""

from typing import Annotated

from fastapi import Depends, Request

from argosy.kit.db.session import ReadSession, UnitOfWork, WriteSession


async def read_session(request: Request) -> ReadSession:
    """Return the request's read-only session."""
    work: UnitOfWork = request.state.work
    return await work.read()


async def write_session(request: Request) -> WriteSession:
    """Return the request's session that may write; it is committed before the response leaves."""
    work: UnitOfWork = request.state.work
    return await work.write()


Read = Annotated[ReadSession, Depends(read_session)]
Write = Annotated[WriteSession, Depends(write_session)]
