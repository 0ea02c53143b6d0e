"""The API's description: valid, complete, and the one the pages take their types from."""

from aftersales.workdays import china
from api.app import create_app
from api.context import Backstage
from desk.office import Office
from storage.memory import MemoryTelemetry
from storage.records_memory import MemoryRecords
from tests.api import given_api
from tests.given import NOW

HOW = "run `fieldcare openapi web/openapi.json` and `python web/build.py types`"


def test_the_pages_know_the_api_as_it_is() -> None:
    office = Office(MemoryRecords(), MemoryTelemetry(), lambda: NOW, china())
    assert create_app(Backstage(office)).openapi() == given_api.described(), HOW


def test_the_types_of_the_pages_name_every_address() -> None:
    types = given_api.types_of_pages()
    for path in given_api.described()["paths"]:
        assert f'"{path}": {{' in types, HOW


def test_the_description_is_openapi_3_1_and_for_users_only() -> None:
    world = given_api.World()
    assert world.browser(None).get("/api/openapi.json").status_code == 401
    document = world.browser("AU").get("/api/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert document == given_api.described()


def test_every_reference_in_the_description_leads_somewhere() -> None:
    document = given_api.described()

    def references(node: object) -> set[str]:
        if isinstance(node, dict):
            mine = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
            return mine.union(*map(references, node.values()))
        return set().union(*map(references, node)) if isinstance(node, list) else set()

    names = {ref.removeprefix("#/components/schemas/") for ref in references(document)}
    assert names <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_refusal_is_described_as_a_problem_document() -> None:
    for methods in given_api.described()["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status.startswith("4"):
                    assert list(answer["content"]) == ["application/problem+json"]


def test_only_what_can_happen_is_described() -> None:
    paths = given_api.described()["paths"]
    assert set(paths["/api/v1/clock"]["get"]["responses"]) == {"200"}
    assert set(paths["/api/v1/plan"]["get"]["responses"]) == {"200", "401", "403"}
    assert set(paths["/api/v1/tickets/{id}/actions"]["post"]["responses"]) == {
        "200", "401", "403", "404", "409", "411", "413", "422",
    }  # fmt: skip
