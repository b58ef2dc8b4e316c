"""Errors of a request, in the form that llama.cpp's and OpenAI's clients read."""

from __future__ import annotations

from typing import Any

from guiderail.engine.errors import ElsewhereError
from guiderail.errors import GuiderailError, UnavailableError
from guiderail.lsp.worker import FailedJobError

# What OpenAI and llama.cpp call the kinds of errors, by status.
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    500: "server_error",
    501: "not_supported_error",
    503: "unavailable_error",
    504: "timeout_error",
}


class RequestFault(GuiderailError):
    """A request that is answered with an error.

    Parameters
    ----------
    status
        The HTTP status.
    message, remedy
        As of every `GuiderailError`.
    field
        The field of the body that is wrong, if one is.
    """

    def __init__(self, status: int, message: str, remedy: str = "", field: str | None = None) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.field = field

    def body(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"error": {"message": str(self), "type": kind_of(self.status), "param": self.field, "code": self.status}}


def fault_of(error: GuiderailError) -> RequestFault:
    """The error of a request that the model failed, or refused."""
    if isinstance(error, RequestFault):
        return error
    statuses = ((FailedJobError, 500), (UnavailableError, 503), (ElsewhereError, 501))
    status = next((status for kind, status in statuses if isinstance(error, kind)), 400)
    return RequestFault(status, error.message, error.remedy)


def kind_of(status: int) -> str:
    """The name of a kind of error."""
    return _KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")


def wrong_field(name: str, wanted: str) -> RequestFault:
    """The error of a field that holds something else than it must."""
    return RequestFault(400, f"the field {name!r} must be {wanted}", field=name)
