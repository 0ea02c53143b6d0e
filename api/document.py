"""The API's description (OpenAPI 3.1): what each endpoint takes and may answer."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from api.errors import MEDIA
from api.shapes import FieldError, Problem

_REF = "#/components/schemas/{model}"
_BODY = (411, 413)
_COOKIE = {"type": "apiKey", "in": "cookie", "name": "fieldcare_session"}
_CREDENTIAL = {"type": "http", "scheme": "basic"}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of answers that are problem documents."""
    schema = {"$ref": _REF.format(model="Problem")}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA: {"schema": schema}},
        }
        for status in sorted(set(statuses))
    }


def credential_only(message: type[BaseModel], *statuses: int) -> dict[str, Any]:
    """Return what a route needs that devices and gateways use: a list of ``message`` as its body.

    ``statuses`` are the problems it may answer with.
    """
    each = message.model_json_schema(ref_template=_REF)
    content = {
        "application/json": {"schema": {"type": "array", "items": each}},
        "application/x-ndjson": {"schema": each},
    }
    return {
        "responses": problems(422, *statuses),
        "openapi_extra": {
            "security": [{"credential": []}],
            "requestBody": {"required": True, "content": content},
        },
    }


def described(app: FastAPI) -> dict[str, Any]:
    """Return the description of ``app``."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        description="After-sales service: devices, tickets, visits and plans.",
        routes=app.routes,
    )
    for methods in document["paths"].values():
        for method, operation in methods.items():
            _complete(method, operation)
    schemas = document["components"]["schemas"]
    for gone in ("HTTPValidationError", "ValidationError"):
        schemas.pop(gone, None)
    for shape in (FieldError, Problem):
        schemas[shape.__name__] = shape.model_json_schema(ref_template=_REF)
        schemas[shape.__name__].pop("$defs", None)
    document["components"]["securitySchemes"] = {"session": _COOKIE, "credential": _CREDENTIAL}
    return document


def _complete(method: str, operation: dict[str, Any]) -> None:
    """Describe what every endpoint of this kind may answer."""
    answers = operation["responses"]
    more = [422] if "422" in answers else []
    if method not in ("get", "head"):
        more += [403, *_BODY]
    for status, answer in problems(*more).items():
        answers[str(status)] = answer
    operation["responses"] = dict(sorted(answers.items()))
    if "x-needs" in operation:
        operation["security"] = [{"session": []}]
