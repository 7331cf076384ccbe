"""As much of JSON Schema as host/serve/openapi.json uses; anything else in it is an error, not a pass."""

import re

KNOWN = {"type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "enum", "const",
         "minimum", "maximum", "exclusiveMinimum", "maxLength", "oneOf", "$ref", "description", "format",
         "contentMediaType"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def resolve(document, node):
    """Follows $ref to what it names; a KeyError when there is no such thing."""
    while isinstance(node, dict) and "$ref" in node:
        assert node["$ref"].startswith("#/"), node
        found = document
        for part in node["$ref"][2:].split("/"):
            found = found[part]
        node = found
    return node


def faults(document, schema, value, where="$"):
    """All that is wrong with the value, one line each."""
    schema = resolve(document, schema)
    assert not set(schema) - KNOWN, f"{where}: {set(schema) - KNOWN}"
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(is_type(value, n) for n in names):
        return [f"{where}: {value!r:.60} is not {' or '.join(names)}"]
    out = []
    if "enum" in schema and value not in schema["enum"]:
        out.append(f"{where}: {value!r:.60} is not one of {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        out.append(f"{where}: {value!r:.60} is not {schema['const']!r}")
    if "oneOf" in schema:
        fits = sum(not faults(document, s, value, where) for s in schema["oneOf"])
        out += [] if fits == 1 else [f"{where}: fits {fits} of the alternatives"]
    if is_type(value, "number"):
        out += [f"{where}: {value} is out of range"] * (
            value < schema.get("minimum", value) or value > schema.get("maximum", value)
            or value <= schema.get("exclusiveMinimum", value - 1))
    if isinstance(value, str) and len(value.encode()) > schema.get("maxLength", len(value.encode())):
        out.append(f"{where}: too long")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            out.append(f"{where}: {len(value)} items")
        for i, item in enumerate(value):
            out += faults(document, schema.get("items", {}), item, f"{where}[{i}]")
    if isinstance(value, dict):
        out += [f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value]
        others = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in schema.get("properties", {}):
                out += faults(document, schema["properties"][name], item, f"{where}.{name}")
            elif others is False:
                out.append(f"{where}: {name} is not described")
            elif isinstance(others, dict):
                out += faults(document, others, item, f"{where}.{name}")
    return out


def template(path):
    """"/v2/models/{name}/infer" as the table of routes writes it."""
    return re.sub(r"\{[^}]*\}", "{}", path)
