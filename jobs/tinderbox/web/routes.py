"""What the routes of all drivers have in common: the token is looked at first, and refusals have their status."""

from __future__ import annotations

import hmac
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tinderbox.errors import BadInput, StaleAttempt, Superseded


def guard(token: str) -> Middleware:
    """Return the middleware that refuses strangers before a body is read, and turns refusals into their status."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, expected):
            return refuse(401, "the token is missing or wrong")
        try:
            return await handler(request)
        except StaleAttempt as error:
            return refuse(409, str(error))
        except (Superseded, OSError) as error:
            return refuse(503, f"storage does not take it: {error}")
        except (BadInput, KeyError, ValueError) as error:  # what pydantic refuses is a ValueError
            return refuse(400, str(error))

    return check


def refuse(status: int, reason: str) -> web.Response:
    """Return a refusal."""
    return web.json_response({"error": reason}, status=status)


async def send(
    request: web.Request, blocks: AsyncIterator[bytes], gone: Callable[[], web.Response]
) -> web.StreamResponse:
    """Reply with blocks as they come; with what `gone` returns where the first one shows that their file is not there.

    Raises:
        OSError: It cannot be read; as long as nothing was sent, that is told with a reason.
    """
    try:
        first = await anext(blocks, b"")
    except FileNotFoundError:
        return gone()
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(first)
    async for block in blocks:
        await response.write(block)
    await response.write_eof()
    return response


def finite(tree: Any) -> Any:
    """Return a tree of plain values with null in place of NaN and infinity, which JSON does not have."""
    if isinstance(tree, dict):
        return {key: finite(value) for key, value in tree.items()}
    return None if isinstance(tree, float) and not math.isfinite(tree) else tree
