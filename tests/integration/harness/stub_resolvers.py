"""More programs that ask sotto: forwarders, a program that measures, a browser, and the resolvers
that libraries and languages bring along. The latter look at /etc/resolv.conf and ask port 53 of
whom they find there: they run where both are the test's own, see OwnHost."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator

from . import netns, ports
from .processes import Process
from .real_clients import Place, run

_AUTH_NAME = "dns.test"
COMPILER_PATIENCE = 300  # seconds

# --- forwarders: functions that make their command lines, listening on 127.0.0.1:port -----------


def _dnsdist_doh(place: Place, port: int) -> list[str]:
    return ["dnsdist", "--supervised", "--disable-syslog", "-C", place.write("dnsdist.lua", f"""
setLocal("127.0.0.1:{port}")
setSecurityPollSuffix("")
newServer({{address="127.0.0.1:{place.upstream_port}", tls="openssl", caStore="{place.ca_file}",
            subjectName="{_AUTH_NAME}", validateCertificates=true, dohPath="/dns-query",
            checkName="check.example."}})
""")]


def _stubby(place: Place, port: int) -> list[str]:
    return ["stubby", "-C", place.write("stubby.yml", f"""
resolution_type: GETDNS_RESOLUTION_STUB
dns_transport_list: [ GETDNS_TRANSPORT_TLS ]
tls_authentication: GETDNS_AUTHENTICATION_REQUIRED
tls_ca_file: "{place.ca_file}"
tls_query_padding_blocksize: 128
appdata_dir: "{place.directory}"
listen_addresses: [ 127.0.0.1@{port} ]
upstream_recursive_servers:
  - address_data: 127.0.0.1
    tls_port: {place.upstream_port}
    tls_auth_name: "{_AUTH_NAME}"
""")]


def _named(place: Place, port: int) -> list[str]:
    return ["named", "-g", "-n", "1", "-c", place.write("named.conf", f"""
tls sotto {{ ca-file "{place.ca_file}"; remote-hostname "{_AUTH_NAME}"; }};
options {{
    directory "{place.directory}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    forward only;
    forwarders port {place.upstream_port} tls sotto {{ 127.0.0.1; }};
    dnssec-validation no;
}};
controls {{ }};
""")]


def _dnsmasq(place: Place, port: int) -> list[str]:
    return ["dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground", "--user=", "--pid-file=",
            "--log-facility=-", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1",
            "--bind-interfaces", f"--port={port}", f"--server=127.0.0.1#{place.upstream_port}"]


# The transport each asks by, and its command line.
FORWARDERS: dict[str, tuple[str, Callable[[Place, int], list[str]]]] = {
    "dnsdist-doh": ("https", _dnsdist_doh), "stubby": ("tls", _stubby), "named": ("tls", _named),
    "dnsmasq": ("udp", _dnsmasq)}
_PACKAGES = {"dnsdist-doh": "dnsdist", "named": "bind9", "dnsmasq": "dnsmasq-base"}


def forwarder_missing(name: str) -> str:
    """Why it cannot be tested here; empty if it can."""
    program = name.split("-")[0]
    if not shutil.which(program):
        return f"needs Debian's package {_PACKAGES.get(name, name)}"
    if name == "named":
        told = run("named", "-v")
        if tuple(map(int, re.search(r"(\d+)\.(\d+)", told).groups())) < (9, 20):
            return "BIND forwards over TLS from 9.20, which Debian 13 has"
    return ""


def start_forwarder(name: str, place: Place) -> tuple[Process, int]:
    """Returns it and its port, before it answers."""
    port = ports.free_port()
    command = FORWARDERS[name][1](place, port)
    return Process(name, command, place.directory / f"{name}.log"), port


# --- dnsperf ------------------------------------------------------------------------------------


def dnsperf(mode: str, port: int, names: list[str], rounds: int) -> dict[str, int]:
    """Asks for the names so many times on 8 connections, 200 at a time; what it counted."""
    told = subprocess.run(
        ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-m", mode, "-c", "8", "-q", "200", "-n",
         "1", "-t", "2", "-O", f"doh-uri=https://127.0.0.1:{port}/dns-query"],
        input="".join(f"{name} A\n" for name in names) * rounds, capture_output=True, text=True,
        timeout=60, check=True).stdout
    return {what: int(count) for what, count in re.findall(r"Queries (\w+): +(\d+)", told)}


# --- Firefox ------------------------------------------------------------------------------------


def firefox_missing() -> str:
    for program, package in (("firefox-esr", "firefox-esr"), ("certutil", "libnss3-tools")):
        if not shutil.which(program):
            return f"needs Debian's package {package}: script/bootstrap interop"
    return ""


@contextlib.contextmanager
def firefox(url: str, doh_url: str, ca_file: pathlib.Path, directory: pathlib.Path
            ) -> Iterator[Process]:
    """Loads a page, when it looks up names at a DoH server and nowhere else (TRR mode 3)."""
    profile = directory / "profile"
    profile.mkdir()
    run("certutil", "-N", "-d", f"sql:{profile}", "--empty-password")
    run("certutil", "-A", "-d", f"sql:{profile}", "-n", "tests", "-t", "C,,", "-i", str(ca_file))
    settings = {"network.trr.mode": "3", "network.trr.uri": f'"{doh_url}"',
                "network.trr.confirmationNS": '"skip"', "network.trr.allow-rfc1918": "true",
                "network.captive-portal-service.enabled": "false",
                "network.connectivity-service.enabled": "false",
                "dom.security.https_first": "false",
                "datareporting.policy.dataSubmissionEnabled": "false"}
    (profile / "user.js").write_text("".join(
        f'user_pref("{key}", {value});\n' for key, value in settings.items()))
    process = Process("firefox", ["firefox-esr", "--headless", "--no-remote", "--profile",
                                  str(profile), url], directory / "firefox.log",
                      env={**os.environ, "HOME": str(directory)})
    try:
        yield process
    finally:
        process.stop()


# --- resolvers of libraries and languages -------------------------------------------------------

_MUSL = r"""#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char** argv) {
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
  int error = getaddrinfo(argv[argc - 1], 0, &hints, &found);
  if (error) return fprintf(stderr, "%s\n", gai_strerror(error)), 1;
  for (; found; found = found->ai_next)
    puts(inet_ntoa(((struct sockaddr_in*)found->ai_addr)->sin_addr));
}
"""

_GO = """package main

import (
	"context"
	"fmt"
	"net"
	"os"
)

func main() {
	found, err := net.DefaultResolver.LookupIP(context.Background(), "ip4", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, address := range found {
		fmt.Println(address)
	}
}
"""

_JAVA = """class Lookup {
  public static void main(String[] names) throws Exception {
    for (var found : java.net.InetAddress.getAllByName(names[0]))
      System.out.println(found.getHostAddress());
  }
}
"""

_JNDI = """class Lookup {
  public static void main(String[] names) throws Exception {
    var settings = new java.util.Hashtable<String, String>();
    settings.put("java.naming.factory.initial", "com.sun.jndi.dns.DnsContextFactory");
    settings.put("java.naming.provider.url", "dns:");
    var context = new javax.naming.directory.InitialDirContext(settings);
    var found = context.getAttributes(names[0], new String[] {"A"}).get("A").getAll();
    while (found.hasMore()) System.out.println(found.next());
  }
}
"""

_NODE_LOOKUP = """require("dns").lookup(process.argv[1], {family: 4, all: true}, (error, found) => {
  if (error) throw error;
  for (const each of found) console.log(each.address);
});"""

_NODE_RESOLVE = """require("dns").resolve4(process.argv[1], (error, found) => {
  if (error) throw error;
  for (const each of found) console.log(each);
});"""


def _compiled_by_musl(directory: pathlib.Path) -> list[str]:
    (directory / "lookup.c").write_text(_MUSL)
    run("musl-gcc", "-static", "-o", str(directory / "lookup"), str(directory / "lookup.c"))
    return [str(directory / "lookup")]


def _compiled_by_go(directory: pathlib.Path) -> list[str]:
    """Without C: Go's own resolver."""
    (directory / "lookup.go").write_text(_GO)
    run("go", "build", "-o", str(directory / "lookup"), str(directory / "lookup.go"),
        env={**os.environ, "CGO_ENABLED": "0", "GOCACHE": str(directory / "cache"),
             "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "HOME": str(directory)},
        timeout=COMPILER_PATIENCE)
    return ["env", "GODEBUG=netdns=go", str(directory / "lookup")]


def _java(text: str) -> Callable[[pathlib.Path], list[str]]:
    def command(directory: pathlib.Path) -> list[str]:
        (directory / "Lookup.java").write_text(text)
        return ["java", "-Xshare:auto", str(directory / "Lookup.java")]

    return command


# The program each needs, where it comes from, and the command that looks up a name.
RESOLVERS: dict[str, tuple[str, str, Callable[[pathlib.Path], list[str]]]] = {
    "glibc": ("getent", "libc-bin", lambda _directory: ["getent", "ahostsv4"]),
    "musl": ("musl-gcc", "musl-tools: script/bootstrap test", _compiled_by_musl),
    "go": ("go", "golang-go: script/bootstrap interop", _compiled_by_go),
    "java": ("javac", "default-jdk-headless: script/bootstrap interop", _java(_JAVA)),
    "java-jndi": ("javac", "default-jdk-headless: script/bootstrap interop", _java(_JNDI)),
    "node-lookup": ("node", "nodejs: script/bootstrap interop",
                    lambda _directory: ["node", "-e", _NODE_LOOKUP]),
    "node-resolve": ("node", "nodejs: script/bootstrap interop",
                     lambda _directory: ["node", "-e", _NODE_RESOLVE]),
}


# How many addresses of a name a library gives, if it does not give all.
ADDRESSES_MAX = {"musl": 48}


def resolver_missing(name: str) -> str:
    program, package, _command = RESOLVERS[name]
    return "" if shutil.which(program) else f"needs Debian's package {package}"


def asks_over_tcp(name: str) -> bool:
    """musl does from 1.2.4, which Debian 13 has."""
    if name != "musl":
        return True
    loader = next(iter(pathlib.Path("/lib").glob("ld-musl-*.so.1")))
    told = subprocess.run([str(loader)], capture_output=True, text=True, check=False).stderr
    return tuple(map(int, re.search(r"Version ([\d.]+)", told).group(1).split("."))) >= (1, 2, 4)


def own_host_missing() -> str:
    """Why OwnHost cannot be had here; empty if it can."""
    if netns.missing():
        return netns.missing()
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True,
                          check=False)
    if done.returncode:  # in a chroot, for instance, whose / is no mount point
        return f"needs a mount namespace: {done.stderr.strip()}"
    return ""


class OwnHost:
    """A network of its own, in which programs find an /etc/resolv.conf that names 127.0.0.1."""

    def __init__(self, directory: pathlib.Path):
        self.network = netns.Namespace()
        # With loopback addresses alone getent asks nobody (AI_ADDRCONFIG).
        self.network.run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
        self._files = {"resolv.conf": "nameserver 127.0.0.1\n", "nsswitch.conf": "hosts: dns\n"}
        self._directory = directory
        for name, text in self._files.items():
            (directory / name).write_text(text)

    def run(self, *command: str) -> str:
        mounts = "".join(f"test ! -e /etc/{name} || mount --bind {self._directory / name} "
                         f"/etc/{name}\n" for name in self._files)
        return self.network.run("unshare", "--mount", "sh", "-e", "-c", f'{mounts}exec "$@"', "sh",
                                *command)
