"""Programs that people put in front of sotto: forwarders that ask it over DoT, strictly
authenticated as dns.test, systemd-resolved likewise, and a browser that asks it over DoH."""

import dataclasses
import json
import os
import pathlib
import pwd
import shutil
import subprocess
from collections.abc import Callable

from . import ports
from .certificates import Leaf
from .processes import Process
from .waiting import PATIENCE

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_AUTH_NAME = "dns.test"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a forwarder keeps its files, whom it asks, and whom it trusts."""

    directory: pathlib.Path
    upstream_port: int  # of 127.0.0.1
    ca_file: pathlib.Path

    def write(self, name: str, text: str) -> str:
        path = self.directory / name
        path.write_text(text)
        return str(path)


def run(*command: str, **options) -> str:
    """What a program that asks once prints."""
    options.setdefault("timeout", 2 * PATIENCE)
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


# --- forwarders: functions that make their command lines, listening on 127.0.0.1:port -----------


def _unbound(place: Place, port: int) -> list[str]:
    return ["unbound", "-d", "-c", place.write("unbound.conf", f"""
server:
    interface: 127.0.0.1@{port}
    directory: "{place.directory}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    num-threads: 1
    module-config: "iterator"
    do-not-query-localhost: no
    tls-cert-bundle: "{place.ca_file}"
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-tls-upstream: yes
    forward-addr: 127.0.0.1@{place.upstream_port}#{_AUTH_NAME}
""")]


def _dnsdist(place: Place, port: int) -> list[str]:
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", place.write("dnsdist.lua", f"""
setLocal("127.0.0.1:{port}")
setSecurityPollSuffix("")
newServer({{address="127.0.0.1:{place.upstream_port}", tls="openssl", caStore="{place.ca_file}",
            subjectName="{_AUTH_NAME}", validateCertificates=true, checkName="check.example."}})
""")]


def _kresd(place: Place, port: int) -> list[str]:
    return ["kresd", "-n", "-c", place.write("kresd.lua", f"""
net.listen("127.0.0.1", {port}, {{ kind = "dns" }})
modules.unload("priming")
modules.unload("ta_update")
trust_anchors.remove(".") -- the upstream signs nothing
policy.add(policy.all(policy.TLS_FORWARD({{
  {{"127.0.0.1@{place.upstream_port}", hostname="{_AUTH_NAME}", ca_file="{place.ca_file}"}}}})))
"""), str(place.directory)]


FORWARDERS: dict[str, Callable[[Place, int], list[str]]] = {
    "unbound": _unbound, "dnsdist": _dnsdist, "kresd": _kresd}


def start_forwarder(name: str, place: Place) -> tuple[Process, int]:
    """Returns it and its port, before it answers."""
    port = ports.free_port()
    return Process(name, FORWARDERS[name](place, port), place.directory / f"{name}.log"), port


# --- systemd-resolved ---------------------------------------------------------------------------


def _resolved() -> pathlib.Path | None:
    """Installed, or unpacked by script/bootstrap."""
    for root in (pathlib.Path("/"), _ROOT / "build/systemd-resolved"):
        for directory in ("lib/systemd", "usr/lib/systemd"):
            if (root / directory / "systemd-resolved").exists():
                return root / directory / "systemd-resolved"
    return None


def resolved_missing() -> str:
    """Why systemd-resolved cannot be run here; empty if it can."""
    if os.geteuid() != 0:
        return "systemd-resolved runs in a mount namespace, which needs root"
    if _resolved() is None:
        return "systemd-resolved is neither installed nor unpacked by script/bootstrap test"
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        return "no mount namespaces here"
    return ""


def start_resolved(place: Place) -> tuple[Process, int]:
    """With files under /run of its own, which it can read as the user that it becomes; no bus."""
    port = ports.free_port()
    settings = place.write("resolved.conf", f"""[Resolve]
DNS=127.0.0.1:{place.upstream_port}#{_AUTH_NAME}
FallbackDNS=
Domains=~.
DNSOverTLS=yes
DNSSEC=no
LLMNR=no
MulticastDNS=no
Cache=no
ReadEtcHosts=no
DNSStubListener=no
DNSStubListenerExtra=127.0.0.1:{port}
""")
    users = place.write("passwd", _users())
    script = f"""set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/resolved.conf.d
cp {settings} /run/systemd/resolved.conf.d/test.conf
install -m 644 {place.ca_file} /run/ca.pem
mount --bind {users} /etc/passwd
exec {_resolved()}
"""
    process = Process("systemd-resolved", ["unshare", "--mount", "sh", "-c", script],
                      place.directory / "resolved.log",
                      env={**os.environ, "SSL_CERT_FILE": "/run/ca.pem"})
    return process, port


def _users() -> str:
    text = pathlib.Path("/etc/passwd").read_text()
    try:
        pwd.getpwnam("systemd-resolve")
    except KeyError:
        text += "systemd-resolve:x:65533:65533::/:/usr/sbin/nologin\n"
    return text


# --- Chromium -----------------------------------------------------------------------------------

_QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
          "--disable-background-networking", "--disable-component-update", "--disable-sync")


def chromium_missing() -> str:
    if shutil.which("chromium"):
        return ""
    return "needs Debian's package chromium: script/bootstrap interop"


def chromium_loads(url: str, template: str, leaf: Leaf, directory: pathlib.Path) -> str:
    """The page at url, as the browser understood it, when it looks up names nowhere but at the
    DoH server of this URI template, which has this certificate."""
    profile = directory / "profile"
    profile.mkdir()
    settings = {"dns_over_https": {"mode": "secure", "templates": template}}
    (profile / "Local State").write_text(json.dumps(settings))
    pin = leaf.pin.removeprefix("sha256/")
    done = subprocess.run(
        ["chromium", *_QUIET, f"--user-data-dir={profile}",
         f"--ignore-certificate-errors-spki-list={pin}", "--dump-dom", url],
        capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
