"""The grid over HTTP: scoped answers, GeoJSON, tiles with ETag, pages with Link, problems for bad input."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar, Router
from litestar.di import Provide
from shapely.geometry import mapping, shape

from app.kernel import ids
from app.kernel.actor import Actor, Membership, Role
from app.server import errors
from grid import api, store
from grid.organisations import Force, Kind
from grid.people import Person
from tests.grid.places import (
    CELLS,
    DISTRICT,
    NOW,
    SIDE,
    SOUTH,
    TOWN,
    VILLAGES,
    WEST,
    force_unit,
    organisation,
    settle,
    square,
)

POLICE = force_unit(Force.POLICE, "police-1")
OTHER = organisation(Kind.STATION, "station-1", VILLAGES[0])
PEOPLE = [Person(id=ids.new_id(), name=f"演示甲{n}", organisation=POLICE.id, started_at=NOW) for n in range(5)]

Client = Callable[..., httpx.AsyncClient]


def actor(role: Role, area: str) -> Actor:
    member = Membership(role, POLICE.id if role is Role.OFFICER else None, area)
    return Actor(id=ids.new_id(), kind="staff", district=DISTRICT, memberships=(member,))


@pytest.fixture
async def client(district: str) -> AsyncIterator[Client]:
    await settle()
    await store.add_organisations([POLICE, OTHER], ids.new_id())
    await store.add_people(PEOPLE)
    opened: list[httpx.AsyncClient] = []

    def open_as(role: Role = Role.DISTRICT_CENTRE, area: str = DISTRICT) -> httpx.AsyncClient:
        who = actor(role, area)
        app = Litestar(
            [Router("/v1", route_handlers=api.routes)],
            dependencies={
                "actor": Provide(lambda: who, sync_to_thread=False),
                "now": Provide(lambda: NOW, sync_to_thread=False),
            },
            exception_handlers=errors.handlers,
        )
        made = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test/v1")
        opened.append(made)
        return made

    yield open_as
    for each in opened:
        await each.aclose()


async def test_the_tree_is_walked_from_the_district_to_the_cells(client: Client) -> None:
    centre = client()
    assert (await centre.get(f"/areas/{DISTRICT}")).json()["name"] == "萧山区"
    towns = (await centre.get(f"/areas/{DISTRICT}/children")).json()
    villages = (await centre.get(f"/areas/{towns[0]['code']}/children")).json()
    assert [each["code"] for each in villages] == list(VILLAGES)
    cells = (await centre.get(f"/areas/{VILLAGES[0]}/cells")).json()
    assert cells["type"] == "FeatureCollection"
    assert [each["id"] for each in cells["features"]] == [c.code for c in CELLS if c.village == VILLAGES[0]]
    assert shape(cells["features"][0]["geometry"]).equals(CELLS[0].polygon)
    assert cells["features"][0]["properties"]["source"] == "made-up"
    one = (await centre.get(f"/cells/{CELLS[0].code}")).json()
    assert one == cells["features"][0]


@pytest.mark.parametrize("path", ["/areas/{town}", "/areas/{town}/cells", "/areas/{town}/children", "/cells/{cell}"])
async def test_what_is_not_mine_looks_like_what_is_not_there(client: Client, path: str) -> None:
    stranger, owner = client(Role.STATION, "330109002001"), client(Role.TOWN_CENTRE, TOWN)
    mine = path.format(town=TOWN, cell=CELLS[0].code)
    absent = path.format(town="330109002999", cell="330109002999001")
    assert (await owner.get(mine)).status_code == 200
    foreign, missing = await stranger.get(mine), await client().get(absent)
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert foreign.json()["type"] == missing.json()["type"]


async def test_a_point_in_any_datum_is_located_with_names(client: Client) -> None:
    worker = client(Role.GRID_WORKER, VILLAGES[0])
    query = {"lon": WEST + SIDE / 2, "lat": SOUTH + SIDE / 2, "datum": "wgs84"}
    answer = (await worker.get("/cells/locate", params=query)).json()
    assert (answer["cell"], answer["reason"]) == (CELLS[0].code, "covered")
    assert answer["names"] == {VILLAGES[0]: "陈公桥社区", TOWN: "城厢街道"}
    shifted = (await worker.get("/cells/locate", params=query | {"datum": "gcj02"})).json()
    assert shifted["lon"] < answer["lon"] - 0.004  # GCJ-02 lies some 450 m east of WGS-84 here
    bad = await worker.get("/cells/locate", params=query | {"lon": 999})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "lon")


async def test_a_tile_has_an_etag_that_saves_sending_it_again(client: Client) -> None:
    path = "/tiles/cells/10/854/421.mvt"
    first = await client().get(path)
    assert first.status_code == 200
    assert first.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert CELLS[0].code.encode() in first.content
    again = await client().get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    narrow = await client(Role.STATION, VILLAGES[1]).get(path)
    assert CELLS[0].code.encode() not in narrow.content
    assert narrow.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("path", ["10/1024/0.mvt", "10/0/1024.mvt", "23/0/0.mvt", "10/0/0.png", "10/0/x.mvt"])
async def test_a_tile_that_cannot_be_is_not_found(client: Client, path: str) -> None:
    assert (await client().get(f"/tiles/cells/{path}")).status_code == 404


async def test_an_import_over_http_lists_its_findings(client: Client) -> None:
    geometries = [square(2.2, 1.2, 0.5, 0.5), square(2.6, 1.2, 0.5, 0.5)]
    features = [
        {"type": "Feature", "properties": {"code": f"{VILLAGES[0]}{n}"}, "geometry": mapping(each)}
        for n, each in enumerate(geometries, start=101)
    ]
    body = {"type": "FeatureCollection", "features": features}
    query = {"datum": "wgs84"}
    dry = (await client().post("/cells/import", json=body, params=query | {"dry_run": True})).json()
    assert (dry["accepted"], dry["dry_run"], dry["findings"][0]["fault"]) == (False, True, "overlap")
    refused = await client().post("/cells/import", json=body, params=query)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/cells-refused")
    assert refused.json()["findings"][0]["square_metres"] > 10_000
    body["features"] = features[:1]
    taken = await client().post("/cells/import", json=body, params=query)
    assert (taken.status_code, taken.json()["taken"]) == (200, 1)
    assert (await client().post("/cells/import", json=body)).status_code in (400, 422)  # the datum must be declared


async def test_organisations_are_listed_page_by_page(client: Client) -> None:
    worker = client(Role.GRID_WORKER, VILLAGES[0])
    first = await worker.get("/organisations", params={"limit": 1})
    assert [each["code"] for each in first.json()] == ["police-1"]
    link = first.links["next"]["url"]
    second = await worker.get(link.removeprefix("/v1"))
    assert [each["code"] for each in second.json()] == ["station-1"]
    by_kind = await worker.get("/organisations", params={"kind": "station", "area": TOWN})
    assert [each["code"] for each in by_kind.json()] == ["station-1"]
    assert (await worker.get(f"/organisations/{POLICE.id}")).json()["force"] == "police"
    assert (await worker.get(f"/organisations/{ids.new_id()}")).status_code == 404


async def test_people_are_shown_to_their_own_organisation_and_town_only(client: Client) -> None:
    officer, town = client(Role.OFFICER, TOWN), client(Role.TOWN_CENTRE, TOWN)
    stranger, auditor = client(Role.TOWN_CENTRE, "330109002"), client(Role.AUDITOR, DISTRICT)
    for reader in (officer, town):
        assert len((await reader.get("/people")).json()) == 5
        assert (await reader.get(f"/people/{PEOPLE[0].id}")).json()["name"] == "演示甲0"
    assert (await stranger.get("/people")).json() == []
    assert (await stranger.get(f"/people/{PEOPLE[0].id}")).status_code == 404
    assert (await stranger.get("/people", params={"organisation": str(POLICE.id)})).status_code == 404
    assert (await auditor.get("/people")).status_code == 403
    page = await town.get("/people", params={"limit": 2})
    rest = await town.get(page.links["next"]["url"].removeprefix("/v1"))
    assert [each["id"] for each in page.json() + rest.json()] == [str(each.id) for each in PEOPLE[:4]]


async def test_duty_is_planned_and_asked_for_over_http(client: Client) -> None:
    shift: dict[str, Any] = {
        "person": str(PEOPLE[0].id),
        "organisation": str(POLICE.id),
        "area": TOWN,
        "starts_at": "2026-11-23T00:00:00Z",
        "ends_at": "2026-11-23T12:00:00Z",
    }
    town = client(Role.TOWN_CENTRE, TOWN)
    assert (await town.post("/duty-shifts", json=shift)).status_code == 201
    on_duty = await client(Role.GRID_WORKER, CELLS[0].code).get(f"/areas/{CELLS[0].code}/duty")
    assert [each["person"] for each in on_duty.json()] == [str(PEOPLE[0].id)]
    later = await town.get(f"/areas/{TOWN}/duty", params={"at": "2026-11-23T12:00:00Z"})
    assert later.json() == []
    foreign = await client(Role.TOWN_CENTRE, "330109002").post("/duty-shifts", json=shift)
    assert foreign.status_code == 404


async def test_an_organisation_is_founded_and_ended_over_http(client: Client) -> None:
    new = {"kind": "department", "name": "示例局", "code": "example", "area": DISTRICT}
    admin = client(Role.ADMINISTRATOR)
    made = await admin.post("/organisations", json=new)
    assert made.status_code == 201
    ended = await admin.post(f"/organisations/{made.json()['id']}/end", json={"successor": str(OTHER.id)})
    assert (ended.status_code, ended.json()["successor"]) == (200, str(OTHER.id))
    assert (await admin.post("/organisations", json=new)).status_code == 409
    assert (await client(Role.TOWN_CENTRE, TOWN).post("/organisations", json=new)).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/areas/%00",
        "/areas/x/children",
        "/areas/３３０１０９",
        "/cells/%00",
        "/cells/1",
        "/areas/1/duty",
        "/tiles/cells/1/1/" + "9" * 5000 + ".mvt",
        "/areas/330109/cells?at=2026-11-23T12:00:00",
        "/areas/330109/duty?at=yesterday",
        "/organisations?limit=0",
        "/organisations?area=x",
        "/people?after=1",
        "/cells/locate?lon=nan&lat=30&datum=wgs84",
        "/cells/locate?lon=120&lat=30&datum=mars",
    ],
)
async def test_nonsense_is_refused_and_never_an_error_of_the_server(client: Client, path: str) -> None:
    answer = await client().get(path)
    assert answer.status_code in (400, 404, 422), answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/organisations", {"kind": "department", "name": "\x00", "code": "example", "area": DISTRICT}),
        ("/organisations", {"kind": "department", "name": "示例局", "code": "example\n", "area": DISTRICT}),
        ("/organisations", {"kind": "department", "name": "示例局", "code": "example", "area": "330109\n"}),
        ("/cells/import?datum=wgs84", {"type": "FeatureCollection", "features": {}}),
        ("/cells/import?datum=wgs84", {"type": "Topology"}),
        (
            "/duty-shifts",
            {
                "person": str(PEOPLE[0].id),
                "organisation": str(POLICE.id),
                "area": TOWN,
                "starts_at": "0001-01-01T00:00:00+14:00",
                "ends_at": "0001-01-01T01:00:00+14:00",
            },
        ),
        (
            "/duty-shifts",
            {
                "person": str(PEOPLE[0].id),
                "organisation": str(POLICE.id),
                "area": TOWN,
                "starts_at": "2026-11-23T00:00:00",
                "ends_at": "2026-11-23T01:00:00",
            },
        ),
    ],
)
async def test_bodies_that_make_no_sense_are_refused(client: Client, path: str, body: dict[str, Any]) -> None:
    answer = await client().post(path, json=body)
    assert answer.status_code in (400, 422), answer.text


async def test_coordinates_nested_without_end_are_refused(client: Client) -> None:
    deep = b"[" * 50_000 + b"]" * 50_000
    body = b'{"type":"FeatureCollection","features":[{"geometry":{"type":"Polygon","coordinates":' + deep + b"}}]}"
    headers = {"Content-Type": "application/json"}
    answer = await client().post("/cells/import?datum=wgs84", content=body, headers=headers)
    assert answer.status_code == 400
