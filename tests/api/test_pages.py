"""The pages are files that anybody may load; everything the API does not know is theirs."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from aftersales.access import Role
from api import pages
from tests.api import given_api
from tests.api.given_api import World

SCRIPT = "console.log('a script that is long enough to be worth compressing');\n" * 50


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>the app</title>")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "assets" / "index-abc123.js").write_text(SCRIPT)
    (tmp_path.parent / "secret.txt").write_text("secret")
    return World(folder=tmp_path).browser(None)


@pytest.mark.parametrize("path", ["/", "/tickets/T-000001", "/quarantine", "/index.html", "/apis"])
def test_the_app_reads_every_path_that_is_no_file(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "the app" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


def test_assets_are_kept_for_ever_and_compressed(client: TestClient) -> None:
    answer = client.get("/assets/index-abc123.js", headers={"Accept-Encoding": "gzip"})
    assert answer.text == SCRIPT
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    again = client.get("/assets/index-abc123.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_a_file_beside_the_index_is_served_as_it_is(client: TestClient) -> None:
    answer = client.get("/icon.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["cache-control"] == "no-cache"


def test_an_asset_that_is_gone_is_not_the_app(client: TestClient) -> None:
    answer = client.get("/assets/index-old.js")
    assert answer.status_code == 404
    given_api.problem_of(answer)


def test_pages_are_only_read(client: TestClient) -> None:
    answer = client.post("/")
    assert answer.status_code == 405
    given_api.problem_of(answer)
    assert client.head("/").status_code == 200


def test_a_link_out_of_the_folder_leads_nowhere(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "assets" / "out.txt").symlink_to(tmp_path.parent / "secret.txt")
    assert client.get("/assets/out.txt").status_code == 404


def test_without_built_pages_the_api_works_and_the_pages_say_how_to_build(tmp_path: Path) -> None:
    app = World().app
    pages.install(app, None)
    client = TestClient(app)
    answer = client.get("/")
    assert answer.status_code == 503
    assert "web/build.py" in answer.text
    assert client.get("/api/v1/clock").status_code == 200


def test_long_answers_of_the_api_are_compressed() -> None:
    client = given_api.busy().browser(Role.DI)
    assert client.get("/api/v1/devices").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in client.get("/api/v1/clock").headers
