"""As much of JSON Schema as the schemas here use."""

from typing import Any

Schema = dict[str, Any]
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
    "number": (int, float),
    "integer": (int,),
}


def conforms(value: Any, schema: Schema, root: Schema | None = None) -> bool:
    """Tell whether a value fits a schema."""
    root = root or schema
    if "$ref" in schema:
        return conforms(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in schema or "oneOf" in schema:
        fitting = sum(conforms(value, one, root) for one in schema.get("anyOf") or schema["oneOf"])
        return fitting == 1 if "oneOf" in schema else fitting > 0
    if "type" in schema and not _is_a(value, schema["type"]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, list):
        return _list_fits(value, schema, root)
    if isinstance(value, dict):
        return _object_fits(value, schema, root)
    return not isinstance(value, int | float) or schema.get("minimum", value) <= value <= schema.get("maximum", value)


def _is_a(value: Any, types: str | list[str]) -> bool:
    names = [types] if isinstance(types, str) else types
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, TYPES[name]) for name in names) or (
        "integer" in names and isinstance(value, float) and value.is_integer()
    )


def _list_fits(value: list[Any], schema: Schema, root: Schema) -> bool:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    schemas = schema.get("prefixItems") or [schema.get("items", {})] * len(value)
    return all(conforms(part, one, root) for part, one in zip(value, schemas, strict=True))


def _object_fits(value: dict[str, Any], schema: Schema, root: Schema) -> bool:
    known = schema.get("properties", {})
    if not set(schema.get("required", [])) <= set(value):
        return False
    if schema.get("additionalProperties") is False and set(value) - set(known):
        return False
    return all(conforms(part, known.get(name, {}), root) for name, part in value.items())
