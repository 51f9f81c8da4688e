"""What can go wrong with models and their versions."""

from argosy.kit.errors import ArgosyError, Conflict, NotFound, UnsupportedMediaType


class ModelNotFound(NotFound):
    """No such model, or not for this caller."""

    type, title = "model-not-found", "Model not found"


class VersionNotFound(NotFound):
    """No such version of the model."""

    type, title = "version-not-found", "Version not found"


class AliasNotFound(NotFound):
    """No such alias of the model."""

    type, title = "alias-not-found", "Alias not found"


class ModelExists(Conflict):
    """The organization has a model of this name."""

    type, title = "model-exists", "Model exists"


class VersionNotReady(Conflict):
    """The version has not passed conversion and parity, and so cannot serve."""

    type, title = "version-not-ready", "Version is not ready"


class SignatureNotDerived(Conflict):
    """The version has no signature yet."""

    type, title = "signature-not-derived", "Signature is not derived yet"


class FormatRefused(UnsupportedMediaType):
    """The file is of a kind that the server does not take."""

    type, title = "format-refused", "Format refused"


class DigestMismatch(ArgosyError):
    """What arrived is not what was sent."""

    status, type, title = 422, "digest-mismatch", "Digest mismatch"


class RangeNotSatisfiable(ArgosyError):
    """The byte range lies outside the artifact (RFC 9110, section 15.5.17)."""

    status, type, title = 416, "range-not-satisfiable", "Range not satisfiable"
