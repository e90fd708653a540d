"""The configuration file: what is read, and how each mistake is told."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from syncd.config import check_settings, commented_example, load, load_all
from syncd.config.model import BrakeConfig, PoliciesConfig
from syncd.config.schema import TasksTable, duration_text, read_duration
from syncd.errors import ConfigError
from syncd.hookspecs import Channel, Pace, Settings
from syncd.limits import Limits
from syncd.statuses import Kind

SECRET = "s3cret-canary-value"


class ShopSettings(Settings):
    """Settings of a made-up channel."""

    base_url: str = Field(description="The panel's address.")
    app_id: str = "none"
    pages: int = 5
    api_token: SecretStr
    backup_token: SecretStr | None = None

    @field_validator("app_id")
    @classmethod
    def not_bad(cls, value: str) -> str:
        if value == "bad":
            raise ValueError("must not be bad")
        return value


def channels(**more: Any) -> dict[str, Any]:
    shop = SimpleNamespace(
        state="enabled", reason="", description=Channel(title="Shop", settings=ShopSettings)
    )
    return {"shop": shop, **more}


def write(folder: Path, text: str) -> Path:
    path = folder / "syncd.toml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_all(write(folder, text), channels(), {"TOKEN": SECRET})
    assert caught.value.path == str(folder / "syncd.toml")
    return caught.value.problems


ACCOUNT = """
[accounts.one]
channel = "shop"
[accounts.one.settings]
base_url = "https://panel.example"
api_token = { env = "TOKEN" }
"""


def test_usual_values(tmp_path: Path) -> None:
    config = load(write(tmp_path, ACCOUNT), {})
    account = config.accounts["one"]
    assert (account.tenant, account.facility, account.locations) == ("main", "main", {})
    minutes, day, month = timedelta(minutes=40), timedelta(days=1), timedelta(days=30)
    assert {k: (t.every, t.look_back) for k, t in account.tasks.items()} == {
        Kind.ORDERS: (minutes, timedelta(0)),
        Kind.DISPATCHED: (minutes, timedelta(0)),
        Kind.CANCELLED: (minutes, timedelta(0)),
        Kind.RETURNS: (day, month),
        Kind.DELIVERED: (day, month),
    }
    assert all(task.enabled for task in account.tasks.values())


def test_every_kind_has_its_table() -> None:
    assert set(TasksTable.model_fields) == {kind.value for kind in Kind}


def test_own_task_settings_go_before_defaults_key_by_key(tmp_path: Path) -> None:
    text = (
        ACCOUNT
        + """
[accounts.one.tasks.returns]
every = "12h"
[accounts.two]
channel = "shop"
[defaults.tasks.returns]
every = "2d"
look_back = "10d"
[defaults.tasks.delivered]
enabled = false
"""
    )
    accounts = load(write(tmp_path, text), {}).accounts
    one, two = accounts["one"].tasks, accounts["two"].tasks
    assert one[Kind.RETURNS].every == timedelta(hours=12)
    assert one[Kind.RETURNS].look_back == timedelta(days=10)
    assert two[Kind.RETURNS].every == timedelta(days=2)
    assert not one[Kind.DELIVERED].enabled


def test_own_limits_go_before_defaults_key_by_key(tmp_path: Path) -> None:
    text = (
        ACCOUNT
        + """
[accounts.one.limits]
park_max = "12h"
[accounts.two]
channel = "shop"
[defaults.limits]
park_max = "2d"
claim = "6w"
"""
    )
    accounts = load(write(tmp_path, text), {}).accounts
    one, two = accounts["one"].limits, accounts["two"].limits
    assert (one.park_max, two.park_max) == (timedelta(hours=12), timedelta(days=2))
    assert one.claim == two.claim == timedelta(weeks=6)
    assert load(write(tmp_path, ACCOUNT), {}).accounts["one"].limits == Limits()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("park_max", '"0s"', 'is 0s; it must be from "1s" to "3650d"'),
        ("park_max", '"4000d"', 'is 4000d; it must be from "1s" to "3650d"'),
        ("claim", "30", "must be a number with a unit in quotes"),
        ("parkmax", '"1d"', "park_max"),
    ],
)
def test_a_limit_that_cannot_be_used_is_told(
    tmp_path: Path, key: str, value: str, told: str
) -> None:
    (problem,) = problems(tmp_path, f"{ACCOUNT}[accounts.one.limits]\n{key} = {value}\n")
    assert problem.startswith(f"line 8: accounts.one.limits.{key}: ")
    assert told in problem


def test_the_deep_pass_of_returns_is_weekly_and_can_be_turned_off(tmp_path: Path) -> None:
    deep = load(write(tmp_path, ACCOUNT), {}).accounts["one"].tasks
    assert {
        kind: (task.deep_every, task.deep_look_back)
        for kind, task in deep.items()
        if task.deep_every
    } == {Kind.RETURNS: (timedelta(days=7), timedelta(days=90))}
    text = f'{ACCOUNT}[defaults.tasks.returns]\ndeep_every = "0s"\n'
    assert not load(write(tmp_path, text), {}).accounts["one"].tasks[Kind.RETURNS].deep_every
    text = f'{ACCOUNT}[defaults.tasks.returns]\ndeep_every = "1s"\n'
    assert 'it must be from "10s" to "31d"' in problems(tmp_path, text)[0]


def test_places_come_from_the_unit_when_not_set(tmp_path: Path) -> None:
    path = write(tmp_path, "# nothing\n")
    unit = {"STATE_DIRECTORY": "/var/lib/private/syncd", "RUNTIME_DIRECTORY": "/run/syncd"}
    config = load(path, unit)
    assert config.state_dir == Path("/var/lib/private/syncd")
    assert config.socket == Path("/run/syncd/syncd.sock")
    chosen = load(write(tmp_path, '[syncd]\nstate_dir = "/a"\nsocket = "/b/c.sock"\n'), unit)
    assert (chosen.state_dir, chosen.socket) == (Path("/a"), Path("/b/c.sock"))


def test_operators_by_number_and_name(tmp_path: Path) -> None:
    config = load(write(tmp_path, '[syncd]\noperators = [1000, "root"]\n'), {})
    assert config.operators == {0, 1000}


def test_a_proxy_and_its_certificates(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("certificates")
    text = f'[syncd]\nproxy = "http://proxy:3128"\nca_bundle = "{bundle}"\n'
    config = load(write(tmp_path, text), {})
    assert (config.proxy, config.ca_bundle) == ("http://proxy:3128", str(bundle))
    usual = load(write(tmp_path, "[syncd]\n"), {})
    assert (usual.proxy, usual.ca_bundle) == ("", "")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('proxy = "http://asha:secret@proxy:3128"', "must not hold a user name or password"),
        ('proxy = "proxy:3128"', "must be the address of an http proxy"),
        ('proxy = "http://proxy:port"', "must be the address of an http proxy"),
        ('proxy = "http://proxy:3128/way"', "must end after the host and the port"),
        ('ca_bundle = "ca.pem"', "must be an absolute path"),
        ('ca_bundle = "/no/such/ca.pem"', "the file cannot be read"),
    ],
)
def test_a_proxy_that_cannot_be_used(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, f"[syncd]\n{line}\n"), {})
    (problem,) = caught.value.problems
    assert told in problem
    assert "secret" not in problem
    assert "line 2" in problem


def test_fault_I01_missing_file_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file.*syncctl init"):
        load(tmp_path / "none.toml", {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  \n", "the file is empty; make one with: syncctl init"),
        ("[syncd]\nlog_level = \n", "line 2: this is not TOML: Invalid value"),
        ("a = 1\n\n[x\n", "line 3: this is not TOML"),
        ("a = 1\na = 2\n", "line 2: this is not TOML: Cannot overwrite a value"),
        ('a = "x', "line 1: this is not TOML"),
    ],
)
def test_fault_I01_broken_text_is_told_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(expected)


def test_fault_I01_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "syncd.toml"
    path.write_bytes(b"# ok\n# \xff\n")
    with pytest.raises(ConfigError, match="line 2: the text is not UTF-8"):
        load(path, {})


def test_fault_I01_every_problem_at_once_with_line_and_nearest_key(tmp_path: Path) -> None:
    text = """\
[syncd]
log_levle = "info"
socket = "relative"
operators = [-1]

[accounts."bad name"]
channel = "other"

[accounts.one]
chanel = "shop"
tasks.dispached.every = "40m"
tasks.returns = { every = 40, look_back = "400d" }
tasks.orders.enabled = "yes"
locations = { L1 = 7 }

[account.two]
x = 1
"""
    assert problems(tmp_path, text) == [
        'line 2: syncd.log_levle: unknown key; did you mean "log_level"?',
        "line 3: syncd.socket: must be an absolute path, beginning with /",
        "line 4: syncd.operators.0: must be a user name in quotes or a user id",
        'line 6: accounts."bad name": a name has 1 to 64 letters, digits, - or _, and nothing else',
        "line 9: accounts.one.channel: is missing",
        'line 10: accounts.one.chanel: unknown key; did you mean "channel"?',
        'line 11: accounts.one.tasks.dispached: unknown key; did you mean "dispatched"?',
        "line 12: accounts.one.tasks.returns.every: must be a number with a unit in quotes "
        '(s, m, h, d, w), such as "40m" or "1d"; "40m" would be minutes',
        'line 12: accounts.one.tasks.returns.look_back: is 400d; it must be at most "365d"',
        "line 13: accounts.one.tasks.orders.enabled: must be true or false",
        "line 14: accounts.one.locations.L1: must be text in quotes",
        'line 16: account: unknown key; did you mean "accounts"?',
    ]


@pytest.mark.parametrize("value", ["0s", "9s", "32d", "3650d", "1ms", "-5m", "", "40", "4 0m", "m"])
def test_fault_I03_interval_out_of_range(tmp_path: Path, value: str) -> None:
    (problem,) = problems(tmp_path, f'[defaults.tasks.orders]\nevery = "{value}"\n')
    assert problem.startswith("line 2: defaults.tasks.orders.every: ")


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("90s", 90), ("40m", 2400), ("1h30m", 5400), ("1w", 604800)]
)
def test_durations_are_read_and_written(text: str, seconds: int) -> None:
    span = read_duration(text)
    assert span.total_seconds() == seconds
    assert read_duration(duration_text(span)) == span


def test_names_that_differ_only_in_capitals(tmp_path: Path) -> None:
    text = '[accounts.Shop]\nchannel="shop"\n[accounts.shop]\nchannel="shop"\n'
    found = problems(tmp_path, text)
    assert "line 3: accounts.shop: differs from account Shop only in capital letters" in found[-1]


def test_a_socket_path_too_long_for_the_kernel(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f'[syncd]\nsocket = "/{"x" * 107}"\n')
    assert problem == "line 2: syncd.socket: is too long for a socket; at most 107 bytes"


# --- settings of the channels


def test_settings_with_secrets_in_place_and_a_warning(tmp_path: Path) -> None:
    loaded = load_all(write(tmp_path, ACCOUNT), channels(), {"TOKEN": SECRET})
    settings = loaded.settings["one"]
    assert isinstance(settings, ShopSettings)
    assert settings.api_token.get_secret_value() == SECRET
    assert loaded.unavailable == {}
    (warning,) = loaded.warnings
    assert "accounts.one.settings.api_token" in warning
    assert SECRET not in f"{loaded!r}{loaded.config!r}{settings!r}{warning}"


def test_check_settings_gives_the_same(tmp_path: Path) -> None:
    config = load(write(tmp_path, ACCOUNT), {})
    assert set(check_settings(config, channels(), {"TOKEN": SECRET})) == {"one"}
    with pytest.raises(ConfigError, match="TOKEN is not set"):
        check_settings(config, channels(), {})
    with pytest.raises(ConfigError, match='channel "shop" is not installed'):
        check_settings(config, {}, {"TOKEN": SECRET})


def test_settings_problems_stand_beside_those_of_the_file(tmp_path: Path) -> None:
    text = f"""\
[accounts.one]
channel = "shop"
facility = ""
[accounts.one.settings]
base_url = "http://panel.example"
pages = "many"
app_idd = "x"
api_token = "{SECRET}"
[accounts.two]
channel = "shop"
settings = {{ base_url = "https://panel.example", app_id = "bad" }}
"""
    found = problems(tmp_path, text)
    assert SECRET not in "".join(found)
    assert [line.split(": ")[:2] for line in found] == [
        ["line 3", "accounts.one.facility"],
        ["line 6", "accounts.one.settings.pages"],
        ["line 7", "accounts.one.settings.app_idd"],
        ["line 8", "accounts.one.settings.api_token"],
        ["line 11", "accounts.two.settings.api_token"],
        ["line 11", "accounts.two.settings.app_id"],
    ]
    assert "a secret must not stand in this file; write a reference instead" in found[3]
    assert "is missing; it is a secret" in found[4]
    assert "must not be bad" in found[5]


@pytest.mark.parametrize(
    "url",
    [
        "http://panel.example",
        "http://127.0.0.1.example",
        "ftp://panel.example",
        "https://",
        "https://user:pw@panel.example",
        "https://panel.example/?a=1",
        "https://panel.example:port",
        "panel.example",
    ],
)
def test_addresses_that_are_refused(tmp_path: Path, url: str) -> None:
    (problem,) = problems(tmp_path, ACCOUNT.replace("https://panel.example", url))
    assert problem.startswith("line 5: accounts.one.settings.base_url: ")


@pytest.mark.parametrize(
    "url",
    ["https://panel.example/api", "http://127.0.0.1:8080", "http://[::1]:1", "http://localhost"],
)
def test_addresses_that_are_taken(tmp_path: Path, url: str) -> None:
    path = write(tmp_path, ACCOUNT.replace("https://panel.example", url))
    assert load_all(path, channels(), {"TOKEN": SECRET}).settings["one"].base_url == url


def test_missing_channel_stops_nothing_unless_strict(tmp_path: Path) -> None:
    text = ACCOUNT + '[accounts.two]\nchannel = "shoop"\n[accounts.three]\nchannel = "torn"\n'
    torn = SimpleNamespace(state="load_error", reason="it fell over", description=None)
    found = channels(torn=torn)
    path = write(tmp_path, text)
    loaded = load_all(path, found, {"TOKEN": SECRET})
    assert set(loaded.settings) == {"one"}
    assert loaded.unavailable == {
        "two": 'channel "shoop" is not installed. Did you mean "shop"? Installed: shop, torn. '
        "How to install a channel's plugin: page Install of the documentation",
        "three": 'channel "torn" is off: it fell over',
    }
    with pytest.raises(ConfigError) as caught:
        load_all(path, found, {"TOKEN": SECRET}, strict=True)
    assert [p.split(": ")[:2] for p in caught.value.problems] == [
        ["line 8", "accounts.two.channel"],
        ["line 10", "accounts.three.channel"],
    ]


def test_a_plugin_check_that_falls_over_is_a_problem_without_the_secret(tmp_path: Path) -> None:
    class Broken(Settings):
        api_token: SecretStr

        @field_validator("api_token")
        @classmethod
        def explode(cls, value: SecretStr) -> SecretStr:
            raise RuntimeError(value.get_secret_value())

    broken = SimpleNamespace(
        state="enabled", reason="", description=Channel(title="B", settings=Broken)
    )
    path = write(tmp_path, ACCOUNT)
    with pytest.raises(ConfigError, match="RuntimeError") as caught:
        load_all(path, {"shop": broken}, {"TOKEN": SECRET})
    assert SECRET not in str(caught.value)


class FileSettings(Settings):
    """Settings of a channel that is read from files, or asked."""

    source: Literal["files", "calls"] = "files"
    folder: str = ""


class CallSettings(ShopSettings):
    """Its other source."""

    source: Literal["calls"] = "calls"


CALLS = SimpleNamespace(describe_channel=lambda: Channel(title="Two", settings=CallSettings))
TWO = SimpleNamespace(
    state="enabled", reason="",
    description=Channel(title="Two", settings=FileSettings, sources={"calls": CALLS}),
)  # fmt: skip


def test_the_setting_source_chooses_the_settings(tmp_path: Path) -> None:
    text = (
        ACCOUNT.replace('"shop"', '"two"').replace("base_url", 'source = "calls"\nbase_url')
        + '[accounts.files]\nchannel = "two"\n[accounts.files.settings]\nfolder = "/srv"\n'
    )
    settings = load_all(write(tmp_path, text), {"two": TWO}, {"TOKEN": SECRET}).settings

    assert isinstance(settings["one"], CallSettings)
    assert settings["one"].api_token.get_secret_value() == SECRET
    assert isinstance(settings["files"], FileSettings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ('source = "cals"', '"files" or "calls"'),
        ("source = [1]", '"files" or "calls"'),
        ('source = "calls"\nbase_url = "https://a.example"', "api_token: is missing"),
        ('source = "calls"\nfolder = "/srv"', "folder: unknown key; known here: api_token"),
        ('api_token = "x"', "api_token: unknown key; known here: base_url, folder, source"),
    ],
)
def test_a_wrong_source_is_told(tmp_path: Path, settings: str, told: str) -> None:
    text = f'[accounts.one]\nchannel = "two"\n[accounts.one.settings]\n{settings}\n'
    with pytest.raises(ConfigError) as caught:
        load_all(write(tmp_path, text), {"two": TWO}, {})
    assert told in "\n".join(caught.value.problems)


class NamesSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    order: str = "id"


class TableSettings(Settings):
    """A table inside the settings."""

    names: NamesSettings = NamesSettings()


def test_a_key_of_a_table_in_the_settings_is_told_what_is_known_there(tmp_path: Path) -> None:
    table = SimpleNamespace(
        state="enabled", reason="", description=Channel(title="T", settings=TableSettings)
    )
    text = '[accounts.one]\nchannel = "t"\n[accounts.one.settings.names]\nordr = "x"\nzone = "y"\n'
    with pytest.raises(ConfigError) as caught:
        load_all(write(tmp_path, text), {"t": table}, {})
    told = "\n".join(caught.value.problems)
    assert 'names.ordr: unknown key; did you mean "order"?' in told
    assert "names.zone: unknown key; known here: order" in told


def test_the_example_tells_of_each_source() -> None:
    text = commented_example({"two": TWO})

    assert '# With source = "calls" the settings are others: base_url (needed), app_id,' in text


class WordySettings(Settings):
    """One setting for each way in which a value can be wrong."""

    base_url: str = "https://panel.example"
    places: tuple[str, ...] = ()
    size: int = Field(default=20, ge=1, le=1000)
    rate: float = Field(default=1.0, gt=0)
    word: str = Field(default="abc", min_length=2, max_length=4, pattern="[a-z]+")
    few: tuple[str, ...] = Field(default=("A",), min_length=1, max_length=2)
    whole: int = 1
    pace: Literal["slow", "fast"] = "slow"
    day: date = date(2026, 1, 1)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('places = "A"', 'must be a list of texts, such as ["A"]'),
        ("places = [1]", "must be text in quotes"),
        ("size = 0", "must be at least 1"),
        ("size = 1001", "must be at most 1000"),
        ('size = "many"', "must be a whole number"),
        ("rate = 0", "must be more than 0.0"),
        ('word = "a"', "must have at least 2 character(s)"),
        ('word = "abcde"', "must have at most 4 character(s)"),
        ('word = "123"', "must match the pattern [a-z]+"),
        ("few = []", "needs at least 1 in the list"),
        ('few = ["A", "B", "C"]', "takes at most 2 in the list"),
        ("whole = 1.5", "must be a whole number"),
        ('whole = "x"', "must be a whole number"),
        ('pace = "fats"', 'must be one of "slow" or "fast"'),
        ("day = true", "must be a date, such as 2026-01-31"),
    ],
)
def test_a_wrong_setting_is_told_in_our_own_words(tmp_path: Path, line: str, told: str) -> None:
    wordy = SimpleNamespace(
        state="enabled", reason="", description=Channel(title="W", settings=WordySettings)
    )
    path = write(tmp_path, f'[accounts.one]\nchannel = "wordy"\n[accounts.one.settings]\n{line}\n')
    with pytest.raises(ConfigError) as caught:
        load_all(path, {"wordy": wordy}, {})
    (problem,) = caught.value.problems
    assert problem.startswith("line 4: accounts.one.settings.")
    assert problem.endswith(f": {told}")


# --- the example


def test_example_loads_as_it_is(tmp_path: Path) -> None:
    loaded = load_all(write(tmp_path, commented_example(channels())), channels(), {}, strict=True)
    assert loaded.settings == {}
    load(write(tmp_path, commented_example({})), {})


def test_example_without_its_comment_marks_is_a_whole_configuration(tmp_path: Path) -> None:
    text = commented_example(channels())
    assert "# The panel's address." in text
    lines = [line.removeprefix("#") if line[:2] != "# " else line for line in text.splitlines()]
    whole = "\n".join(lines).replace('"..."', '"https://panel.example"')
    whole = whole.replace("/etc/ssl/certs/ca-certificates.crt", str(Path(__file__)))
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for name in ("api_token", "backup_token"):
        (credentials / f"shop.{name}").write_text(SECRET)
    env = {"CREDENTIALS_DIRECTORY": str(credentials)}
    loaded = load_all(write(tmp_path, whole), channels(), env, strict=True)
    assert set(loaded.settings) == {"my-shop"}
    assert loaded.config.operators == {1000}
    usual = load(write(tmp_path, ACCOUNT), {}).accounts["one"].tasks
    assert loaded.config.accounts["my-shop"].tasks == usual
    assert loaded.config.accounts["my-shop"].limits == Limits()
    assert "#rto_overdue = " in text


def test_the_example_tells_what_is_an_example_and_what_to_choose_from(tmp_path: Path) -> None:
    class PacedSettings(ShopSettings):
        pace: Literal["slow", "fast"] = Field(default="slow", description="How fast to call.")
        mode: Literal["new", "old"] = "new"

    description = Channel(
        title="Shop", settings=PacedSettings,
        paces={"slow": Pace(per_second=0.5), "fast": Pace(per_second=10, burst=5)},
    )  # fmt: skip
    shop = SimpleNamespace(state="enabled", reason="", description=description)
    text = commented_example({"shop": shop})
    for line in ("#operators = [1000]", '#locations = { "LOCATION-ID" = "main" }',
                 '#api_token = { credential = "shop.api_token" }', '#base_url = "..."',
                 "#[accounts.my-shop]"):  # fmt: skip
        assert f"# example:\n{line}\n" in text
    for line in ('#log_level = "info"', "#pages = 5", '#tenant = "main"', '#pace = "slow"'):
        assert f"\n{line}\n" in text
        assert f"# example:\n{line}\n" not in text
    assert '#   "slow": one call in 2 s\n#   "fast": 10 calls a second, up to 5 at once\n' in text
    assert '# One of: "new", "old".\n#mode = "new"\n' in text
    assert load_all(write(tmp_path, text), {"shop": shop}, {}, strict=True).settings == {}


def test_fault_I06_an_empty_environment_still_gives_places(tmp_path: Path) -> None:
    config = load(write(tmp_path, "# nothing\n"), {})
    assert config.state_dir.is_absolute()
    assert config.socket.is_absolute()


def test_own_brake_goes_before_defaults_key_by_key(tmp_path: Path) -> None:
    text = """
[defaults.brake]
share = 0.5
floor = 7
[accounts.one]
channel = "shop"
[accounts.one.brake]
floor = 9
enabled = false
[accounts.two]
channel = "shop"
"""
    accounts = load(write(tmp_path, text)).accounts
    assert accounts["one"].brake == BrakeConfig(enabled=False, share=0.5, floor=9)
    assert accounts["two"].brake == BrakeConfig(enabled=True, share=0.5, floor=7)
    usual = load(write(tmp_path, '[accounts.one]\nchannel = "shop"\n')).accounts["one"].brake
    assert usual == BrakeConfig(enabled=True, share=0.2, floor=20)


@pytest.mark.parametrize("line", ["share = 0", "share = 1.5", 'share = "a lot"', "floor = 0"])
def test_a_brake_out_of_range(tmp_path: Path, line: str) -> None:
    (problem,) = problems(tmp_path, f"[defaults.brake]\n{line}\n")
    assert problem.startswith(f"line 2: defaults.brake.{line.split()[0]}: ")


def test_own_policies_go_before_defaults_key_by_key(tmp_path: Path) -> None:
    text = """
[defaults.policies]
invoice_issuer = "channel"
partial_cancel = "ship_short"
[accounts.one]
channel = "shop"
[accounts.one.policies]
partial_cancel = "repack"
putaway_after_cancel = "unless_channel_invoices"
[accounts.two]
channel = "shop"
"""
    accounts = load(write(tmp_path, text)).accounts
    assert accounts["one"].policies == PoliciesConfig(
        invoice_issuer="channel", putaway_after_cancel="unless_channel_invoices"
    )
    assert accounts["two"].policies == PoliciesConfig(
        invoice_issuer="channel", partial_cancel="ship_short"
    )


def test_no_putaway_is_left_out_where_the_seller_invoices(tmp_path: Path) -> None:
    text = """
[defaults.policies]
putaway_after_cancel = "unless_channel_invoices"
[accounts.one]
channel = "shop"
[accounts.two]
channel = "shop"
policies = { invoice_issuer = "channel" }
"""
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    (problem,) = caught.value.problems
    assert "accounts.one.policies.putaway_after_cancel" in problem
    assert 'needs invoice_issuer = "channel"' in problem


def test_an_unknown_policy_value_is_told(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, '[defaults.policies]\ninvoice_issuer = "moon"\n')
    assert problem.startswith("line 2: defaults.policies.invoice_issuer: ")


def test_the_audits_own_settings_go_before_defaults_key_by_key(tmp_path: Path) -> None:
    text = (
        ACCOUNT
        + """
[accounts.one.audit]
at = "03:15"
[defaults.audit]
every = "2d"
at = "01:00"
closed_days = 60
"""
    )
    audit = load(write(tmp_path, text), {}).accounts["one"].audit
    assert (audit.every, audit.closed_days) == (timedelta(days=2), 60)
    assert audit.at == timedelta(hours=3, minutes=15)
    assert audit.enabled


@pytest.mark.parametrize("line", ['at = "25:00"', "at = 3", "closed_days = 0", 'evry = "1d"'])
def test_a_wrong_audit_setting_is_told(tmp_path: Path, line: str) -> None:
    (problem,) = problems(tmp_path, f"{ACCOUNT}\n[defaults.audit]\n{line}\n")
    assert "defaults.audit" in problem
