"""The calls about models: their versions, aliases and predictions."""

from pathlib import Path

from argosy.client import results
from argosy.client.predictions import Prediction
from argosy.client.requests import UPLOAD_SECONDS, Call, Json, about, given, nothing, once, parsed
from argosy.client.uploads import Counter, Upload


def create_model(body: Json, organization: str | None = None) -> Call[results.Model]:
    """Make a model, in the organization the caller acts in or in another of the caller's."""
    headers = {**once(), "X-Organization": organization} if organization else once()
    return Call("POST", "/models", parsed(results.Model), json=body, headers=headers)


def get_model(full_name: str) -> Call[results.Model]:
    """Show a model."""
    return Call("GET", about(full_name), parsed(results.Model))


def update_model(full_name: str, changes: Json) -> Call[results.Model]:
    """Change a model."""
    return Call("PATCH", about(full_name), parsed(results.Model), json=changes)


def delete_model(full_name: str) -> Call[None]:
    """Delete a model."""
    return Call("DELETE", about(full_name), nothing)


def create_version(full_name: str, upload: Upload, counted: Counter) -> Call[results.Version]:
    """Upload a version."""
    return Call(
        "POST",
        about(full_name, "versions"),
        parsed(results.Version),
        headers=once(),
        upload=upload,
        counted=counted,
        timeout=UPLOAD_SECONDS,
    )


def get_version(full_name: str, number: int) -> Call[results.Version]:
    """Show a version."""
    return Call("GET", about(full_name, "versions", number), parsed(results.Version))


def update_version(full_name: str, number: int, changes: Json) -> Call[results.Version]:
    """Change what is said about a version."""
    return Call("PATCH", about(full_name, "versions", number), parsed(results.Version), json=changes)


def compare_versions(full_name: str, a: int, b: int) -> Call[Json]:
    """Show what differs between two versions."""
    return Call("GET", about(full_name, "versions", "compare"), parsed(Json), params={"a": a, "b": b})


def get_signature(full_name: str, number: int) -> Call[Json]:
    """Show a version's signature and JSON Schema."""
    return Call("GET", about(full_name, "versions", number, "signature"), parsed(Json))


def download(full_name: str, number: int, kind: str, target: Path) -> Call[Path]:
    """Save an artifact."""
    path = about(full_name, "versions", number, "artifact")
    return Call("GET", path, lambda _response: target, params={"kind": kind}, target=target)


def list_aliases(full_name: str) -> Call[list[results.Alias]]:
    """List aliases."""
    return Call("GET", about(full_name, "aliases"), parsed(list[results.Alias]))


def set_alias(full_name: str, alias: str, number: int) -> Call[results.Alias]:
    """Point an alias at a version."""
    return Call("PUT", about(full_name, "aliases", alias), parsed(results.Alias), json={"version": number})


def remove_alias(full_name: str, alias: str) -> Call[None]:
    """Remove an alias."""
    return Call("DELETE", about(full_name, "aliases", alias), nothing)


def predict(full_name: str, body: bytes, version: int | None, alias: str | None) -> Call[Prediction]:
    """Predict."""
    return Call(
        "POST",
        about(full_name, "predict"),
        parsed(Prediction),
        params=given(version=version, alias=alias),
        content=body,
        headers={"Content-Type": "application/json"},
    )
