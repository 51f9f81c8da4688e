"""The OpenAPI document: the fixed routes, and one route for each live model with its own schema and example."""

import copy
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI

from argosy.kit.db.session import ReadSession
from argosy.kit.principal import Principal
from argosy.kit.web.openapi import add_problem_schema
from argosy.registry.aliases import LIVE, AliasReader
from argosy.registry.models import Model, ModelVersion
from argosy.registry.service import ModelReader
from argosy.serving.protocols.images import content_of
from argosy.serving.protocols.typed import PREDICT_PROBLEMS
from argosy.serving.service import ServingService
from argosy.serving.target import Target
from argosy.signature.compiled import CompiledSignature

Document = dict[str, Any]
ALIAS: dict[str, Any] = {"name": "alias", "in": "query", "required": True}


async def document(app: FastAPI, session: ReadSession, principal: Principal | None) -> Document:
    """Return the document as a caller may see it: public models, those of the caller's organization, and those it is
    entitled to."""
    described: Document = copy.deepcopy(fixed(app))
    serving: ServingService = app.state.serving
    for model, version in await _live(session, principal):
        target = Target.of(model.full_name, version)
        describe(described, target, await serving.signature(target), model.description)
    for offered in await serving.granted(principal) if principal else ():
        signature = await serving.signature(offered.target)
        describe(described, offered.target, signature, offered.description, offered.alias)
    return described


def fixed(app: FastAPI) -> Document:
    """Return the document of the routes that are always there."""
    described = app.openapi()
    add_problem_schema(described)
    return described


async def _live(session: ReadSession, principal: Principal | None) -> Sequence[tuple[Model, ModelVersion]]:
    models = ModelReader(session).models
    visible = models.readable_by(principal) if principal else models.public()
    return await AliasReader(session).aliases.live(visible, LIVE)


def describe(
    document: Document, target: Target, signature: CompiledSignature, description: str | None, alias: str = LIVE
) -> None:
    """Add the route of a model's predictions to a document, as the version that an alias points at answers it."""
    stem = f"{target.model.replace('/', '.')}.v{target.number}"
    schemas = document["components"]["schemas"]
    rows = {
        "schema": _hoist(schemas, f"{stem}.Request", signature.request_json_schema()),
        "example": signature.example_request(),
    }
    content = {"application/json": rows, **content_of(signature.signature)}
    answer = {"schema": _hoist(schemas, f"{stem}.Response", signature.response_json_schema())}
    said = f"Version {target.number} is {'live' if alias == LIVE else alias}. {description or ''}".strip()
    document["paths"][f"/api/v1/models/{target.model}/predict"] = {
        "post": {
            "tags": [target.model],
            "summary": f"Predict with {target.model}",
            "description": said,
            "operationId": f"predict_{stem.replace('.', '_').replace('-', '_')}",
            "security": [{"Bearer": []}, {"ApiKey": []}],
            "parameters": [] if alias == LIVE else [{**ALIAS, "schema": {"const": alias}, "example": alias}],
            "requestBody": {"required": True, "content": content},
            "responses": {
                "200": {"description": "Predictions", "content": {"application/json": answer}},
                **{str(status): response for status, response in PREDICT_PROBLEMS.items()},
            },
        }
    }


def _hoist(schemas: Document, name: str, schema: Document) -> Document:
    """Put a schema and its definitions among the document's components; return a reference to it."""
    definitions = schema.get("$defs", {})
    for key, definition in definitions.items():
        schemas[f"{name}.{key}"] = _rewrite(definition, name)
    schemas[name] = _rewrite({key: value for key, value in schema.items() if key not in {"$defs", "$schema"}}, name)
    return {"$ref": f"#/components/schemas/{name}"}


def _rewrite(value: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {
            key: item.replace("#/$defs/", f"#/components/schemas/{name}.")
            if key == "$ref" and isinstance(item, str)
            else _rewrite(item, name)
            for key, item in value.items()
        }
    return [_rewrite(item, name) for item in value] if isinstance(value, list) else value
