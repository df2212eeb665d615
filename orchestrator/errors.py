"""The errors that a door turns into an answer: a status code and one line that says what to do."""


class AvtaleError(Exception):
    """Base of every expected failure. The message is written for the person who caused it.

    `status_code` is the HTTP status, `slug` the last part of the problem type (RFC 9457).
    """

    status_code = 500
    slug = "internal"

    def __init__(self, message: str, **extra: object) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra  # more members of the problem document; never secrets


class BadInput(AvtaleError):
    """The request or file cannot be understood; nothing was changed."""

    status_code = 422
    slug = "bad-input"


class Unauthorized(AvtaleError):
    """No valid credentials came with the request."""

    status_code = 401
    slug = "unauthorized"


class Forbidden(AvtaleError):
    """The credentials are valid and do not reach this far."""

    status_code = 403
    slug = "forbidden"


class NotFound(AvtaleError):
    """There is no such thing, or this caller may not know of it."""

    status_code = 404
    slug = "not-found"


class Conflict(AvtaleError):
    """The thing is in a state that refuses this."""

    status_code = 409
    slug = "conflict"


class CallLocked(AvtaleError):
    """No human engagement has opened the call of this enrollment yet (L1)."""

    status_code = 403
    slug = "call-locked"


class SlotTaken(Conflict):
    """Somebody else has that time; pick another one."""

    slug = "slot-taken"


class TooManyTries(AvtaleError):
    """Somebody tried too often; wait a while. `retry_after`: seconds."""

    status_code = 429
    slug = "too-many-tries"


class TooLarge(AvtaleError):
    """The body is larger than this door takes."""

    status_code = 413
    slug = "too-large"


class Unavailable(AvtaleError):
    """A part that is needed does not answer now; try again."""

    status_code = 503
    slug = "unavailable"


class SetupError(AvtaleError):
    """The installation is not ready: a setting, a server version or a migration is missing."""

    slug = "setup"
