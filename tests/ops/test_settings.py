"""The generated environment, and what each process may see of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops import run
from ops.__main__ import COMMANDS, main
from ops.local import procfile, settings, tunables, up
from ops.local.errors import StackError
from ops.local.layout import ROOT, Layout
from ops.local.settings_file import read
from ops.local.stack import Stack
from ops.local.supervision import Program, configuration

KNOWN = settings.generate(settings.local_hosts(Layout(18000))) | {
    "PATH": "/bin",
    "HOME": "/",
    "EDITOR": "vi",
}


def test_the_file_reads_back_as_it_was_generated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.local.layout.ROOT", tmp_path)
    layout = Layout(18000)
    made = settings.ensure(layout)
    assert read(layout.secrets) == made
    assert settings.ensure(layout) == made
    assert layout.secrets.stat().st_mode & 0o777 == 0o600


def test_a_newer_version_adds_what_an_older_one_lacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.local.layout.ROOT", tmp_path)
    layout = Layout(18000)
    layout.directory.mkdir(parents=True)
    layout.secrets.write_text("STRIPE_API_KEY=kept\n")
    made = settings.ensure(layout)
    assert made["STRIPE_API_KEY"] == "kept"
    assert made.keys() == KNOWN.keys() - {"PATH", "HOME", "EDITOR"}


OWN_STRIPE = {"STRIPE_API_KEY": "sk_test_own", "STRIPE_API_BASE": "https://api.stripe.com"}


def test_keys_for_stripes_own_test_mode_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that an operator's command in another shell asks the same Stripe."""
    monkeypatch.setattr("ops.local.layout.ROOT", tmp_path)
    assert up.stripe_of(Stack(18000).environment()).startswith("the stand-in at http://127.0.0.1")
    Stack(18000, OWN_STRIPE | {"FOYER_BATCH": "8", "STRIPE_WEBHOOK_SECRET": ""}).environment()
    later = Stack(18000).environment()
    assert later.items() >= OWN_STRIPE.items()
    assert later["STRIPE_WEBHOOK_SECRET"]
    assert "FOYER_BATCH" not in later
    assert up.stripe_of(later) == "its own, at https://api.stripe.com"


def test_a_running_system_keeps_its_stripe(stack: Stack) -> None:
    before = stack.environment()
    with pytest.raises(StackError, match=r"STRIPE_API_BASE.*make down"):
        Stack(stack.layout.base, OWN_STRIPE).up(processes=False)
    assert stack.environment() == before


def test_the_example_documents_every_setting() -> None:
    example = read(ROOT / ".env.example")
    assert set(KNOWN) - {"PATH", "HOME", "EDITOR"} <= set(example)


@pytest.mark.parametrize("process_type", run.TYPES)
def test_a_process_sees_its_own_settings_only(process_type: str) -> None:
    seen = run.environment(process_type, KNOWN)
    service = {"gateway": "payment", "clock": "expiration"}.get(process_type, process_type)
    service = service.removesuffix("-long")
    own = {value for name, value in KNOWN.items() if name.startswith(f"FOYER_{service.upper()}_")}
    secret = {
        value
        for name, value in KNOWN.items()
        if name.startswith(("FOYER_", "STRIPE_")) and "PUBLIC_KEY" not in name
    }
    stripe = {KNOWN[name] for name in KNOWN if name.startswith("STRIPE_")}
    allowed = own | (stripe if service in {"edge", "payment", "stripe"} else set())
    assert set(seen.values()) & secret <= allowed
    assert "EDITOR" not in seen
    assert not any("ADMIN" in name or "OPERATOR" in name for name in seen)


def test_the_edge_never_sees_the_key_that_moves_money() -> None:
    assert "STRIPE_API_KEY" not in run.environment("edge", KNOWN)


def test_a_process_finds_its_settings_without_its_service_in_their_names() -> None:
    seen = run.environment("clock", KNOWN)
    assert seen["FOYER_REDIS_URL"] == KNOWN["FOYER_EXPIRATION_REDIS_URL"]
    assert seen["FOYER_AMQP_URL"] == KNOWN["FOYER_EXPIRATION_AMQP_URL"]
    assert json.loads(run.environment("auth", KNOWN)["FOYER_SEAL_KEY"])["crv"] == "X25519"


def test_every_procfile_line_is_a_known_type() -> None:
    assert set(procfile.lines()) == set(run.TYPES)


def test_scale_is_read_with_commas_or_blanks() -> None:
    assert procfile.parse_scale("order=3,view=2") == {"order": 3, "view": 2}
    assert procfile.parse_scale("order=3 view=0") == {"order": 3, "view": 0}
    assert procfile.parse_scale("") == {}


@pytest.mark.parametrize("text", ["orders=3", "order", "order=", "order=-1", "order=two"])
def test_a_scale_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(StackError, match="cannot scale"):
        procfile.parse_scale(text)


def test_a_percent_sign_survives_the_configuration() -> None:
    text = configuration(Layout(18000), [Program("x", ["a", "b%c"], environment={"P": "50%"})])
    assert 'command="a" "b%%c"' in text
    assert 'environment=P="50%%"' in text


WRONG = {
    "FOYER_PENDING_TTL_SEC": "0",
    "FOYER_ORDER_TTL_SEC": "soon",
    "FOYER_RETRY_DELAYS_SEC": "5,1",
    "FOYER_BATCH": "abc",
    "FOYER_GATEWAY_THREADS": "0",
    "FOYER_KEY_LIFE_SEC": "1",
    "FOYER_KEY_AHEAD_SEC": "1",
    "FOYER_BIND": "no such host",
    "FOYER_RATE_LIMITS": "everybody=1/second",
    "FOYER_STREAM_LIMITS": "user=0",
    "FOYER_TRUSTED_PROXIES": "10.0.0.0/99",
    "FOYER_CORS_ORIGINS": "shop",
    "FOYER_ADMISSION_BACKLOG": "-1",
    "FOYER_LOG_LEVEL": "loud",
}
UNUSED_BASE = 18980


@pytest.mark.parametrize("name", run.TUNABLES)
def test_a_wrong_tunable_is_named_before_anything_starts(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOYER_PORT_BASE", str(UNUSED_BASE))
    monkeypatch.setenv(name, WRONG[name])
    assert f"{name} is wrong" in refused(capsys, "up")
    assert not Layout(UNUSED_BASE).directory.exists()


def test_tunables_that_are_not_set_are_not_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in run.TUNABLES:
        monkeypatch.setenv(name, "")
    tunables.check()


def refused(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """Run an operator's command; return the one sentence that it ends with."""
    with pytest.raises(SystemExit) as end:
        main(list(command))
    said = capsys.readouterr().err
    assert (end.value.code, said.count("\n")) == (2, 1), said
    return said


ARGUMENTS = {"scale": ["order=1"], "order": ["x"], "dead": ["list"], "chaos": ["kill"]}
WITHOUT_A_SYSTEM = {"docker-env", "asyncapi"}


@pytest.mark.parametrize("base", ["abc", "99000"])
@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in WITHOUT_A_SYSTEM])
def test_a_wrong_port_base_is_told_in_one_sentence(
    command: str, base: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOYER_PORT_BASE", base)
    said = refused(capsys, command, *ARGUMENTS.get(command, []))
    assert "FOYER_PORT_BASE is wrong" in said


def test_a_process_with_a_wrong_port_base_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOYER_PORT_BASE", "abc")
    with pytest.raises(SystemExit, match="2"):
        run.main(["auth", "--", "true"])
    assert "FOYER_PORT_BASE is wrong" in capsys.readouterr().err


def test_the_migrate_step_names_wrong_retry_delays(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FOYER_PORT_BASE", str(stack.layout.base))
    monkeypatch.setenv("FOYER_RETRY_DELAYS_SEC", "5,1")
    assert "FOYER_RETRY_DELAYS_SEC is wrong" in refused(capsys, "migrate")


@contextmanager
def kept_setting(layout: Layout, line: str) -> Iterator[None]:
    """Add a line to a system's settings, as long as this lasts."""
    before = layout.secrets.read_text(encoding="utf-8")
    layout.secrets.write_text(f"{before}{line}\n", encoding="utf-8")
    try:
        yield
    finally:
        layout.secrets.write_text(before, encoding="utf-8")


def test_a_process_that_does_not_come_up_is_named(stack: Stack) -> None:
    nobody = dict.fromkeys(procfile.lines(), 0)
    try:
        with (
            kept_setting(stack.layout, "FOYER_KEY_LIFE_SEC=none"),
            pytest.raises(StackError, match=r"(?s)auth-1.*FOYER_KEY_LIFE_SEC is wrong"),
        ):
            stack.up(scale=nobody | {"auth": 1})
    finally:
        stack.scale(nobody)
