"""Loading the demo: whole, once, and with a file only its owner reads."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.demo import accounts, load
from app.demo.accounts import DemoFile
from app.demo.district.places import DISTRICT
from app.demo.load import Loaded
from app.identity import commands as identity
from app.kernel import db
from grid import facts
from grid.organisations import Kind
from tests.grid.places import NOW


def quiet(what: str, done: int, of: int) -> None:
    """No bars in tests."""


async def test_the_district_is_loaded_once_and_its_accounts_work(committed: str) -> None:
    kept: list[Loaded] = []
    loaded = await load.district("small", NOW, quiet, kept.append)
    assert loaded.fresh
    assert kept == [loaded]
    assert loaded.accounts is not None
    assert loaded.sensors is not None
    assert all(sensor.key for sensor in loaded.sensors)
    again = await load.district("small", NOW + timedelta(days=1), quiet, kept.append)
    assert len(kept) == 1
    assert (again.fresh, again.accounts) == (False, None)

    leader = next(each for each in loaded.accounts if each.role == "squad_leader")
    assert (await identity.login(DISTRICT, leader.username, leader.password, None, NOW)).must_change_password is False
    async with db.transaction(DISTRICT):
        directory = await facts.directory(NOW)
        assert leader.organisation is not None
        assert directory.by_id[leader.organisation].kind is Kind.SQUAD
        squad = {each.id for each in await facts.members(leader.organisation, NOW)}
        assert {leader.id} < squad  # people with accounts are the accounts' persons
        seat = next(each for each in loaded.accounts if each.role == "grid_worker")
        known = await facts.people([each.id for each in loaded.accounts if each.id])
        assert len(known) == len(loaded.accounts)
        assert seat.id in known
        shifts = await facts.on_duty(leader.area, NOW)
        assert len([shift for shift in shifts if shift.area == leader.area]) == 3  # one of each force
        (located,) = await facts.locate([(120.2694, 30.1631)], NOW)  # the seat of 城厢
        assert (located.town, located.reason) == ("330109001", "covered")


async def test_a_load_whose_keys_cannot_be_kept_leaves_nothing(committed: str) -> None:
    def full(_: Loaded) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        await load.district("small", NOW, quiet, full)
    assert not await load.present()
    assert (await load.district("small", NOW, quiet, lambda _: None)).fresh


def test_the_file_is_private_and_survives_a_second_writing(tmp_path: Path) -> None:
    told = DemoFile(
        base_url="http://127.0.0.1:8080",
        district=DISTRICT,
        kind="small",
        accounts=[],
        api_keys={"110": accounts.DemoKey("key", "secret")},
    )
    assert accounts.read(tmp_path) is None
    path = accounts.write(tmp_path, told)
    accounts.write(tmp_path, told)
    assert path.stat().st_mode & 0o777 == 0o600
    assert accounts.read(tmp_path) == told
