"""The bodies of error answers, as they are documented (sinch-api.md section 15)."""

import uuid
from typing import Any

#: The `message` of a 400 for a body that does not fit.
INVALID = "Request failed to parse correctly. Please ensure input is valid and try again."
FEATURE_OFF = "This feature has not been enabled in your account."


def api_error(type_: str, title: str, detail: str) -> dict[str, str]:
    """The body of the generic `ApiError`."""
    return {"uuid": str(uuid.uuid4()), "type": type_, "title": title, "detail": detail}


#: What a documented error answer says, for faults on demand. Others have no documented body.
DOCUMENTED: dict[int, dict[str, Any]] = {
    400: {"message": INVALID, "details": ["Failed to parse message body."]},
    401: {"message": "Invalid authentication credentials"},
    402: api_error("payment_required", "Payment required", "The account has no credit left"),
    403: {"message": FEATURE_OFF},
    404: {"message": "Resource not found."},
    409: {"message": "A webhook with the given url and method already exists."},
    413: api_error("payload_too_large", "Payload too large", "at most 10 MiB"),
    415: api_error("unsupported_media_type", "Unsupported media type", "send application/json"),
    429: {"message": "Too many requests"},
}
