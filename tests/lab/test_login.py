"""A customer logs in by SSH over the internet, on the first try, with what was chosen at the purchase."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.conftest import PASSWORD, Internet, Lab, new_login_key
from vmart.engines.contract import Disk, Engine, EngineError, MachineSpec
from vmart.kernel import unix_password

MakeSpec = Callable[..., MachineSpec]
Knock = Callable[[MachineSpec, str, str], str]


def _secret(folder: Path, text: str) -> str:
    file = folder / "secret"
    file.write_text(text)
    file.chmod(0o600)
    return str(file)


def _address(spec: MachineSpec) -> str:
    assert spec.public_address is not None
    return spec.public_address.ip


@pytest.fixture
def knock(internet: Internet, tmp_path: Path) -> Knock:
    """Who is let in with this password or key: the user, or "refused"."""
    return lambda spec, how, secret: internet.python(
        "ssh_login", _address(spec), how, _secret(tmp_path, secret), "id -un"
    ).strip()


def test_with_a_password(engine: Engine, internet: Internet, make_spec: MakeSpec, tmp_path: Path) -> None:
    spec = make_spec(password=PASSWORD)
    engine.ensure_present(spec)
    said = internet.python("ssh_login", _address(spec), "password", _secret(tmp_path, PASSWORD), "id -un; hostname")
    assert said.split() == ["root", spec.hostname]
    assert (
        internet.python("ssh_login", _address(spec), "password", _secret(tmp_path, "wrong"), "id").strip() == "refused"
    )


def test_with_a_key_and_then_no_password_opens_it(
    engine: Engine, internet: Internet, make_spec: MakeSpec, tmp_path: Path, login_key: tuple[str, str]
) -> None:
    spec = make_spec(ssh_keys=[login_key[1]])
    engine.ensure_present(spec)
    assert (
        internet.python("ssh_login", _address(spec), "key", _secret(tmp_path, login_key[0]), "id -un").strip() == "root"
    )
    assert (
        internet.python("ssh_login", _address(spec), "password", _secret(tmp_path, PASSWORD), "id").strip() == "refused"
    )


def test_the_login_and_host_keys_outlive_a_reboot(
    engine: Engine, internet: Internet, make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec(password=PASSWORD)
    engine.ensure_present(spec)
    secret = _secret(tmp_path, PASSWORD)
    first = internet.python("ssh_login", _address(spec), "password", secret, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    engine.ensure_power(spec.name, False)
    engine.ensure_power(spec.name, True)
    again = internet.python("ssh_login", _address(spec), "password", secret, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    assert first == again != ""


def test_with_a_password_that_was_set_anew_running_and_stopped(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec, tmp_path: Path
) -> None:
    spec = make_spec(password=PASSWORD)
    engine.ensure_present(spec)

    def login(password: str) -> str:
        return internet.python("ssh_login", _address(spec), "password", _secret(tmp_path, password), "id -un").strip()

    engine.ensure_password(spec.name, "root", unix_password.hash_sha512("Second-horse-8"))  # amid its first boot
    assert (login("Second-horse-8"), login(PASSWORD)) == ("root", "refused")
    assert lab.inside(spec.name, "ls /run/vmart-password").returncode != 0
    engine.ensure_power(spec.name, False)
    engine.ensure_password(spec.name, "root", unix_password.hash_sha512("Third-horse-9"))
    engine.ensure_power(spec.name, True)
    assert (login("Third-horse-9"), login("Second-horse-8")) == ("root", "refused")
    assert lab.inside(spec.name, "stat -c '%U %G %a' /etc/shadow").stdout.split() == ["root", "shadow", "640"]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_password_opens_a_machine_that_was_bought_with_a_key(
    engine: Engine,
    internet: Internet,
    make_spec: MakeSpec,
    tmp_path: Path,
    login_key: tuple[str, str],
    *,
    stopped: bool,
) -> None:
    spec = make_spec(ssh_keys=[login_key[1]])
    engine.ensure_present(spec)
    key = _secret(tmp_path, login_key[0])
    assert internet.python("ssh_login", _address(spec), "key", key, "id -un").strip() == "root"
    if stopped:
        engine.ensure_power(spec.name, False)
    engine.ensure_password(spec.name, "root", unix_password.hash_sha512(PASSWORD))
    engine.ensure_power(spec.name, True)
    password = _secret(tmp_path, PASSWORD)
    assert internet.python("ssh_login", _address(spec), "password", password, "id -un").strip() == "root"


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
@pytest.mark.parametrize("bought", ["key", "password"])
def test_bound_keys_open_a_machine_and_nothing_else_until_they_are_taken_away(
    engine: Engine, lab: Lab, make_spec: MakeSpec, knock: Knock, bought: str, *, stopped: bool
) -> None:
    """Given a machine bought with a password, with or without a key, and a key that the customer wrote into it."""
    first, new, own = new_login_key(), new_login_key(), new_login_key()
    old = [first[1]] if bought == "key" else []
    spec = make_spec(ssh_keys=old, password=PASSWORD)
    engine.ensure_present(spec)

    def login(key: tuple[str, str]) -> str:
        return knock(spec, "key", key[0])

    def by_password() -> str:
        return knock(spec, "password", PASSWORD)

    def change(keys: list[str], forgotten: list[str], *, passwords: bool) -> None:
        if stopped:
            engine.ensure_power(spec.name, False)
        for _ in range(2):
            engine.ensure_ssh_keys(spec.name, "root", keys, forgotten, passwords=passwords)
        engine.ensure_power(spec.name, True)

    assert by_password() == "root"  # its first boot is through
    write = f"mkdir -p /root/.ssh; echo 'no-pty {own[1]} by hand' >>/root/.ssh/authorized_keys"
    assert lab.inside(spec.name, write).returncode == 0
    change([new[1]], old, passwords=False)
    assert (login(new), login(own), by_password()) == ("root", "root", "refused")
    assert bought == "password" or login(first) == "refused"
    change([], [new[1]], passwords=True)
    assert (login(new), login(own), by_password()) == ("refused", "root", "root")
    modes = lab.inside(spec.name, "stat -c '%U %G %a' /root/.ssh /root/.ssh/authorized_keys").stdout.splitlines()
    assert modes == ["root root 700", "root root 600"]
    assert lab.inside(spec.name, "ls /root/.ssh").stdout.split() == ["authorized_keys"]


def test_keys_are_bound_amid_the_first_boot_and_where_there_is_no_file_yet(
    engine: Engine, lab: Lab, make_spec: MakeSpec, knock: Knock, login_key: tuple[str, str]
) -> None:
    new, spec = new_login_key(), make_spec(ssh_keys=[login_key[1]])
    engine.ensure_present(spec)

    def login(key: tuple[str, str]) -> str:
        return knock(spec, "key", key[0])

    engine.ensure_ssh_keys(spec.name, "root", [new[1]], [login_key[1]], passwords=False)
    assert (login(new), login(login_key)) == ("root", "refused")
    assert lab.inside(spec.name, "rm -rf /root/.ssh").returncode == 0
    engine.ensure_ssh_keys(spec.name, "root", [login_key[1]], [new[1]], passwords=False)
    assert (login(new), login(login_key)) == ("refused", "root")
    broken = "echo Nonsense yes >/etc/ssh/sshd_config.d/90-own.conf"
    assert lab.inside(spec.name, broken).returncode == 0
    with pytest.raises(EngineError, match="did not take the keys"):  # its sshd goes on with the settings of before
        engine.ensure_ssh_keys(spec.name, "root", [login_key[1]], [], passwords=True)
    assert lab.inside(spec.name, "rm /etc/ssh/sshd_config.d/90-own.conf").returncode == 0
    elsewhere = "cd /root/.ssh && rm authorized_keys && ln -s /etc/shadow authorized_keys"
    assert lab.inside(spec.name, elsewhere).returncode == 0
    shadow = lab.inside(spec.name, "sha256sum /etc/shadow").stdout
    with pytest.raises(EngineError) as refusal:
        engine.ensure_ssh_keys(spec.name, "root", [new[1]], [], passwords=False)
    assert (refusal.value.sentence, refusal.value.transient) == (
        "The machine's system keeps its files in a way that is not known here.", False,
    )  # fmt: skip
    assert lab.inside(spec.name, "sha256sum /etc/shadow").stdout == shadow


def test_it_has_what_was_bought_and_the_customers_document_ran(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec, tmp_path: Path
) -> None:
    document = b"#cloud-config\nusers:\n  - name: app\nruncmd:\n  - echo it ran > /root/ran\n"
    spec = make_spec(password=PASSWORD, user_data=document, data_disks=[Disk("disk-data0001", "CLOUD_SSD", 2)])
    engine.ensure_present(spec)
    command = (
        "cloud-init status --wait > /dev/null; cat /root/ran; id -un app; nproc; "
        "awk '/MemTotal/ {print $2}' /proc/meminfo; "
        "dd if=/dev/zero of=/root/big bs=1M count=6000 2>&1 | grep -c -i -E 'quota|space'; "
        "fallocate -l 1900M /mnt/disk-data0001/big && echo fits; "
        "fallocate -l 2100M /mnt/disk-data0001/big 2>&1 | grep -c -i -E 'quota|space'"
    )
    secret = _secret(tmp_path, PASSWORD)
    said = lab.counted(lambda: internet.python("ssh_login", _address(spec), "password", secret, command)).splitlines()
    assert said[:4] == ["it ran", "app", "1", str(512 * 1024)]
    assert said[4] == "1"  # its five GiB are five GiB
    assert said[5:] == ["fits", "1"]  # and its data disk's two are two
    engine.ensure_absent(spec.name)
    volumes = lab.ask("storage", "volume", "list", "vmart", "--format=csv")
    assert "custom" not in volumes


def test_a_host_name_set_anew_outlives_starts_and_cloud_init(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    """Given one set amid the first boot, one while it runs and one while it is off; its own lines of hosts stay."""
    spec = make_spec(public=False)
    engine.ensure_present(spec)

    def told() -> list[str]:
        script = (
            "cloud-init status --wait >/dev/null; hostname; cat /etc/hostname; getent ahostsv4 $(hostname) | head -1"
        )
        return lab.inside(spec.name, script).stdout.split()[:3]

    for name, off in (("web-2", False), ("web-3.example", False), ("web-4", True)):
        if off:
            engine.ensure_power(spec.name, False)
        engine.ensure_hostname(spec.name, name)
        if not off:
            assert told() == [name, name, "127.0.1.1"]  # at once
            assert lab.inside(spec.name, f"echo 10.0.0.9 mine-{name} >>/etc/hosts").returncode == 0
            engine.ensure_power(spec.name, False)
        engine.ensure_power(spec.name, True)
        assert told() == [name, name, "127.0.1.1"]
    own = lab.inside(spec.name, "grep mine /etc/hosts; ls /etc/*.vmart").stdout.split("\n")
    assert own == ["10.0.0.9 mine-web-2", "10.0.0.9 mine-web-3.example", ""]


def test_a_spot_machine_reads_when_it_is_taken_back(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    spec = make_spec(public=False)
    engine.ensure_present(spec)
    assert lab.inside(spec.name, "cloud-init status --wait >/dev/null; ls /run/spot").returncode != 0
    for minute in (5, 6):
        engine.ensure_spot_notice(
            spec.name, dt.datetime(2026, 3, 10, 10, minute, tzinfo=dt.timezone(dt.timedelta(hours=8)))
        )
        said = lab.inside(spec.name, "cat /run/spot/termination-time; stat -c %a /run/spot/termination-time").stdout
        assert said == f"2026-03-10 02:0{minute}:00\n644\n"


def test_each_machine_has_host_keys_and_a_machine_id_of_its_own(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    specs = [make_spec(public=False), make_spec(public=False)]
    for spec in specs:
        engine.ensure_present(spec)
    script = "cloud-init status --wait > /dev/null; cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub"
    first, second = (lab.inside(spec.name, script).stdout.split() for spec in specs)
    assert len(first) == len(second) == 4
    assert first[0] != second[0]
    assert first[2] != second[2]
