"""How an event ends when something went wrong."""

import traceback

from componentize_py_types import Err
from wit_world.exports.handler import Failure_Permanent, Failure_Retry, Retry
from wit_world.imports import api, kv


def of(error: Exception) -> Err:
    """What to raise from `handle`: what was not done and may work later is tried again, anything else is not.

    To end an event yourself, raise `Err(Failure_Permanent("why"))` or `Err(Failure_Retry(Retry("why", None)))`.
    """
    match getattr(error, "value", None):
        case Failure_Permanent() | Failure_Retry():
            return error
        case api.Error_RateLimited(limit):
            return Err(Failure_Retry(Retry(said(limit.detail), limit.retry_after_ms)))
        case api.Error_Unavailable(detail):
            return Err(Failure_Retry(Retry(said(detail), None)))
        case (
            api.Error_Denied(detail)
            | api.Error_Invalid(detail)
            | api.Error_NotFound(detail)
            | api.Error_OutcomeUnknown(detail)
        ):
            return Err(Failure_Permanent(said(detail)))
        case kv.Error_Unavailable():
            return Err(Failure_Retry(Retry("kv: unavailable", None)))
        case kv.Error_InvalidKey():
            return Err(Failure_Permanent("kv: invalid-key"))
        case kv.Error_ValueTooLarge():
            return Err(Failure_Permanent("kv: value-too-large"))
        case kv.Error_Full():
            return Err(Failure_Permanent("kv: full"))
        case _:
            return mistake(error)


def said(detail: api.Detail) -> str:
    return f"{detail.message} ({detail.code})"


def mistake(error: Exception) -> Err:
    """Names a mistake by its place. Its own text, which may repeat what people wrote, goes to belfry's debug log alone."""
    traceback.print_exception(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Err(Failure_Permanent(f"{type(error).__name__} in {place.filename}:{place.lineno}"))
