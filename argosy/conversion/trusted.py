"""Loading skops files: only types of the libraries that are served, and never a pickle."""

from pathlib import Path
from typing import Any

from argosy.conversion.errors import ConversionError, missing_extra

PACKAGES = ("sklearn.", "xgboost.", "lightgbm.", "numpy.", "scipy.")
# Types of these libraries that hold or run code, or reach the file system.
REFUSED = ("sklearn.externals", "sklearn.datasets", "numpy.lib", "numpy.testing", "numpy.f2py", "numpy.distutils")


def load_skops(path: Path) -> Any:  # noqa: ANN401 - any estimator
    """Load a skops file whose types are all estimators of known libraries; raises `ConversionError`."""
    try:
        import skops.io  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing_extra("skops", "sklearn") from error
    try:
        untrusted = skops.io.get_untrusted_types(file=path)
    except Exception as error:
        raise ConversionError("skops-invalid", f"the file is no valid skops file: {_first_line(error)}") from error
    strangers = [name for name in untrusted if not _is_known(name)]
    if strangers:
        raise ConversionError(
            "untrusted-types",
            f"the file holds types that the server does not load: {', '.join(strangers[:10])}",
            "push it with the SDK on your machine, where your own code is trusted: client.push(model, …)",
        )
    try:
        return skops.io.load(path, trusted=untrusted)
    except Exception as error:
        raise ConversionError(
            "skops-invalid", f"the file cannot be loaded: {_first_line(error)}", "save it with this server's versions"
        ) from error


def _is_known(name: str) -> bool:
    # Classes are written in capitals in all of these libraries; a function could be anything.
    last = name.rpartition(".")[2].lstrip("_")
    return name.startswith(PACKAGES) and not name.startswith(REFUSED) and last[:1].isupper()


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
