"""The rows of the table in docs/benchmarks: what is set up, what load runs, what is divided by what."""

import contextlib
import dataclasses
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

from . import envoy_config, loads, other_config, update_row
from .processes import Process
from .proxies import PORTS, Workshop


class BudgetExceeded(RuntimeError):
    """Weft needs more than dev/benchmark/budget.json allows."""


@dataclasses.dataclass
class Settings:
    root: pathlib.Path
    rounds: int
    seconds: int
    only: list | None
    # Compilers that run meanwhile (neighbours.py).
    neighbours: int = 0

    def wants(self, subjects):
        return [one for one in subjects if not self.only or one in self.only]


@dataclasses.dataclass
class Measure:
    """One figure of every subject, with the bounds that issue 3 sets for Weft as a share of a peer's."""
    name: str
    unit: str
    values: dict
    rounds: dict
    targets: list


@dataclasses.dataclass
class Row:
    name: str
    title: str
    run: object

    def measure(self, settings):
        with tempfile.TemporaryDirectory(prefix="weft-bench-") as directory, contextlib.ExitStack() as stack:
            workshop = Workshop(settings.root, directory)
            backend = workshop.start_backend()
            stack.callback(backend.stop)
            try:
                return {"row": self.name, "title": self.title, "measures": self.run(settings, workshop, stack)}
            except (RuntimeError, loads.LoadError) as error:
                return {"row": self.name, "title": self.title, "measures": [], "error": str(error)[-600:],
                        "exceeded": isinstance(error, BudgetExceeded)}


def cost(settings, subjects, load, name, unit, targets, warm=True):
    """Rounds in alternating order. `subjects`: name to processes; `load(name)` returns what the load completed."""
    rounds = {subject: [] for subject in subjects}
    if warm:
        for subject in subjects:
            load(subject)
    for turn in range(settings.rounds):
        order = list(subjects)
        order = order[turn % len(order):] + order[:turn % len(order)]
        for subject in order:
            before = sum(process.cpu() for process in subjects[subject])
            done = load(subject)
            spent = sum(process.cpu() for process in subjects[subject]) - before
            rounds[subject].append(spent / 1000 / done)
    values = {subject: statistics.median(each) for subject, each in rounds.items()}
    return Measure(name, unit, values, rounds, targets)


def http1(settings, workshop, stack):
    subjects = {}
    for subject in settings.wants(["envoy", "weft", "nginx", "haproxy", "floor"]):
        subjects[subject] = [plain_http(workshop, subject)]
        stack.callback(subjects[subject][0].stop)

    def load(subject):
        return loads.wrk(getattr(PORTS, subject), settings.seconds)[0]

    targets = [("envoy", 0.35), ("nginx", 1.6)]
    return [cost(settings, subjects, load, "CPU per request", "µs", targets)]


def plain_http(workshop, subject):
    if subject == "nginx":
        return workshop.nginx(other_config.nginx_proxy(workshop.folder("nginx"), PORTS, PORTS.nginx), PORTS.nginx)
    if subject == "haproxy":
        return workshop.haproxy(other_config.haproxy(PORTS, PORTS.haproxy), PORTS.haproxy)
    if subject == "floor":
        return workshop.floor(PORTS.floor, PORTS.backend)
    return workshop.start(subject, envoy_config.manager(envoy_config.one_route("backend")))


@dataclasses.dataclass
class Telemetry:
    """What a pair of sidecars tells of each request. By default metrics alone."""
    metrics: bool = True
    # A file for each side's access log, in this folder.
    logs: pathlib.Path | None = None
    # Of the requests that are traced; none has no tracing at all.
    traced_percent: float | None = None

    def of_manager(self, side):
        """What a connection manager of that side has besides its filters."""
        more = {}
        if self.logs:
            more["access_log"] = [envoy_config.access_log(self.logs / f"{side.lower()}.log")]
        if self.traced_percent is not None:
            more["tracing"] = envoy_config.tracing("collector", self.traced_percent)
        return more


def sidecars(subject, certificates, telemetry=Telemetry(), first=None):
    """Bootstraps of a server's and a client's sidecar: mTLS between them, one identity allowed by RBAC at the server's,
    metrics of every request on both sides."""
    first = first or getattr(PORTS, subject)
    second = first + PORTS.second
    caller = "spiffe://cluster.local/ns/bench/sa/client"
    counts = {side: [envoy_config.istio_metrics(side)] if subject == "weft" and telemetry.metrics else []
              for side in ("SOURCE", "DESTINATION")}
    clusters = [
        envoy_config.of_service(envoy_config.cluster("backend", PORTS.backend), "server"),
        envoy_config.of_service(envoy_config.cluster("server", second, tls=envoy_config.client_tls()), "server")]
    if subject == "envoy" and telemetry.metrics:
        clusters = [envoy_config.with_size_histograms(cluster) for cluster in clusters]
    inbound = envoy_config.manager(
        envoy_config.one_route("backend"), [envoy_config.rbac(caller), *counts["DESTINATION"]],
        forward_client_cert_details="APPEND_FORWARD", set_current_client_cert_details={"uri": True},
        **telemetry.of_manager("DESTINATION"))
    outbound = envoy_config.manager(
        envoy_config.one_route("server"), counts["SOURCE"], **telemetry.of_manager("SOURCE"))
    collector = []
    if telemetry.traced_percent is not None:
        collector = [envoy_config.cluster("collector", PORTS.backend_h2, http2=True)]
    server = envoy_config.bootstrap(
        [envoy_config.listener(second, inbound, envoy_config.server_tls())], [clusters[0], *collector], certificates)
    client = envoy_config.bootstrap(
        [envoy_config.listener(first, outbound)], [clusters[1], *collector], certificates)
    return server, client


def mesh(settings, workshop, stack):
    """Client sidecar to server sidecar."""
    subjects = {}
    for subject in settings.wants(["envoy", "weft"]):
        first, second = getattr(PORTS, subject), getattr(PORTS, subject) + PORTS.second
        server, client = sidecars(subject, workshop.certificates)
        start = getattr(workshop, subject)
        subjects[subject] = [start(server, second, f"{subject}-server"), start(client, first, f"{subject}-client")]
        for process in subjects[subject]:
            stack.callback(process.stop)
    if settings.wants(["floor"]):
        second = PORTS.floor + PORTS.second
        subjects["floor"] = [
            workshop.floor(second, PORTS.backend, "floor-server", "terminate"),
            workshop.floor(PORTS.floor, second, "floor-client", "originate")]
        for process in subjects["floor"]:
            stack.callback(process.stop)

    def load(subject):
        return loads.wrk(getattr(PORTS, subject), settings.seconds)[0]

    return [cost(settings, subjects, load, "CPU of both proxies per request", "µs", [("envoy", 0.40)])]


def overhead(settings, workshop, stack):
    """The pair of the row "mesh" three times: silent, with metrics, access log and one trace in a hundred (as Istio comes),
    and with a trace of each request."""
    stack.callback(workshop.start_collector().stop)
    steps = {"no telemetry": None, "metrics, access log, 1 % traced": 1, "metrics, access log, all traced": 100}
    subjects, ports = {}, {}
    for subject in settings.wants(["envoy", "weft"]):
        for number, (step, percent) in enumerate(steps.items()):
            folder = workshop.folder(f"{subject}-{number}")
            telemetry = Telemetry(percent is not None, folder if percent else None, percent)
            port = getattr(PORTS, subject) + number * PORTS.variant
            server, client = sidecars(subject, workshop.certificates, telemetry, port)
            start = getattr(workshop, subject)
            pair = [start(server, port + PORTS.second, f"{subject}-server-{number}"),
                    start(client, port, f"{subject}-client-{number}")]
            for process in pair:
                stack.callback(process.stop)
            subjects[subject, step], ports[subject, step] = pair, port
    measured = cost(settings, subjects, lambda one: loads.wrk(ports[one], settings.seconds)[0], "", "µs", [])
    measures, silent = [], measured.values.get(("weft", "no telemetry"))
    for step, percent in steps.items():
        values = {subject: value for (subject, each), value in measured.values.items() if each == step}
        rounds = {subject: value for (subject, each), value in measured.rounds.items() if each == step}
        targets = []
        if percent and silent:
            values["Weft without"] = silent
            targets = [("Weft without", 1.10 if percent == 1 else None)]
        measures.append(Measure(f"CPU of both proxies per request, {step}", "µs", values, rounds, targets))
    return measures


def grpc(settings, workshop, stack):
    stack.callback(workshop.start_grpc_backend().stop)
    clusters = [envoy_config.cluster("backend", PORTS.backend_h2, http2=True)]
    subjects = {}
    for subject in settings.wants(["envoy", "weft", "nginx"]):
        if subject == "nginx":
            text = other_config.nginx_grpc(workshop.folder("nginx"), PORTS, PORTS.nginx)
            subjects[subject] = [workshop.nginx(text, PORTS.nginx)]
        else:
            routes = envoy_config.manager(envoy_config.one_route("backend"))
            subjects[subject] = [workshop.start(subject, routes, clusters=clusters)]
        stack.callback(subjects[subject][0].stop)

    def load(subject):
        return calls(getattr(PORTS, subject), settings.seconds, workshop)

    return [cost(settings, subjects, load, "CPU per unary call", "µs", [("envoy", 0.50)])]


GRPC_HEADERS = ["content-type: application/grpc", "te: trailers"]
GRPC_PATH = "/bench.Echo/Unary.grpc"


def calls(port, seconds, workshop):
    """Unary gRPC calls on 8 connections, 10 at a time on each. Returns how many there were."""
    return loads.h2load(port, seconds, data=workshop.grpc_request, headers=GRPC_HEADERS, path=GRPC_PATH)


def body(settings, workshop, stack):
    subjects = {}
    for subject in settings.wants(["envoy", "weft", "nginx", "haproxy"]):
        subjects[subject] = [plain_http(workshop, subject)]
        stack.callback(subjects[subject][0].stop)

    def load(subject):
        return loads.wrk(getattr(PORTS, subject), settings.seconds, connections=8, path="/large")[1] / (1 << 20)

    return [cost(settings, subjects, load, "CPU per MiB of 1 MiB responses", "µs", [("envoy", 1.0)])]


def tcp(settings, workshop, stack):
    subjects = {}
    for subject in settings.wants(["envoy", "weft", "haproxy"]):
        if subject == "haproxy":
            text = other_config.haproxy(PORTS, PORTS.haproxy, mode="tcp")
            subjects[subject] = [workshop.haproxy(text, PORTS.haproxy)]
        else:
            subjects[subject] = [workshop.start(subject, envoy_config.tcp_proxy("backend"))]
        stack.callback(subjects[subject][0].stop)

    def load(subject):
        return loads.wrk(getattr(PORTS, subject), settings.seconds, connections=8, path="/large")[1] / (1 << 20)

    def small(subject):
        return loads.wrk(getattr(PORTS, subject), settings.seconds)[0]

    return [
        cost(settings, subjects, load, "CPU per MiB through a TCP proxy", "µs", [("envoy", 1.0)]),
        cost(settings, subjects, small, "CPU per small exchange through a TCP proxy", "µs", [("envoy", 1.0)]),
    ]


def tls(settings, workshop, stack):
    subjects = {}
    for subject in settings.wants(["envoy", "weft", "nginx", "haproxy"]):
        port, certificates = getattr(PORTS, subject), workshop.certificates
        if subject == "nginx":
            text = other_config.nginx_proxy(workshop.folder("nginx"), PORTS, port, tls=certificates)
            process = workshop.nginx(text, port)
        elif subject == "haproxy":
            process = workshop.haproxy(other_config.haproxy(PORTS, port, tls=certificates), port)
        else:
            process = workshop.start(subject, envoy_config.manager(envoy_config.one_route("backend")), tls=True)
        subjects[subject] = [process]
        stack.callback(process.stop)

    def load(subject):
        return loads.handshakes(getattr(PORTS, subject), settings.seconds, workshop.certificates)

    return [cost(settings, subjects, load, "CPU per new mTLS connection with one request", "µs", [("envoy", 1.1)])]


def latency(settings, workshop, stack):
    """Half of what Envoy can do at most on this machine, offered to each in turn: at random moments, as requests of many
    independent users come, and in bursts of all 32 connections at once, which is how h2load paces its clients."""
    subjects = {}
    for subject in settings.wants(["envoy", "weft", "nginx", "haproxy", "floor"]):
        subjects[subject] = plain_http(workshop, subject)
        stack.callback(subjects[subject].stop)
    most = statistics.median(loads.wrk(PORTS.envoy, settings.seconds)[0] / settings.seconds for _ in range(3))
    rate, seconds = most / 2, max(2, round(settings.seconds))

    def at_random(port, turn):
        return loads.arrivals(workshop.program("arrivals"), port, seconds, rate, turn)

    def in_bursts(port, turn):
        return loads.paced(port, seconds, rate, workshop.directory / "paced.log")

    note = f"at {rate:.0f} requests/s (half of Envoy's {most:.0f})"
    return [*tails(settings, subjects, at_random, f"{note}, at random"),
            *tails(settings, subjects, in_bursts, f"{note}, in bursts of 32")]


def tails(settings, subjects, load, note):
    """p99 and median; `load(port, turn)` returns (ordered latencies, failures)."""
    tables = {share: {subject: [] for subject in subjects} for share in (0.99, 0.5)}
    for turn in range(settings.rounds):
        order = list(subjects)
        order = order[turn % len(order):] + order[:turn % len(order)]
        for subject in order:
            ordered, failures = load(getattr(PORTS, subject), turn)
            if failures:
                raise loads.LoadError(f"{failures} requests to {subject} failed")
            for share, table in tables.items():
                table[subject].append(loads.percentile(ordered, share))
    values = {share: {name: statistics.median(each) for name, each in table.items()} for share, table in tables.items()}
    return [Measure(f"p99 latency {note}", "µs", values[0.99], tables[0.99], [("envoy", 0.7)]),
            Measure(f"median latency {note}", "µs", values[0.5], tables[0.5], [])]


def memory(settings, workshop, stack):
    measures = []
    for count, share in ((0, 0.35), (1000, 0.30), (5000, 0.25)):
        values = {}
        for subject in settings.wants(["envoy", "weft"]):
            port = getattr(PORTS, subject)
            process = getattr(workshop, subject)(envoy_config.many(count, port, PORTS.backend), port, f"{subject}-{count}")
            try:
                # Load after the start has settled, so that what serving needs is in memory again.
                time.sleep(4)
                loads.wrk(port, 1)
                time.sleep(1)
                values[subject] = process.resident() / 1024
            finally:
                process.stop()
        what = "idle" if count == 0 else f"with {count} clusters and routes"
        measures.append(Measure(f"memory {what}", "MB", values, {}, [("envoy", share)]))
    values, growth = {}, {}
    # HAProxy reserves two descriptors for every connection that it may take: more than this process may hand on.
    for subject in settings.wants(["envoy", "weft", "nginx"]):
        process = plain_http(workshop, subject)
        try:
            before = process.resident()
            opened = loads.idle_connections(getattr(PORTS, subject), 10_000)
            time.sleep(2)
            values[subject] = process.resident() / 1024
            growth[subject] = (process.resident() - before) * 1024 / len(opened)
            for one in opened:
                one.close()
        finally:
            process.stop()
    measures.append(Measure("memory with 10000 idle connections", "MB", values, {}, [("envoy", 0.7)]))
    measures.append(Measure("memory per idle connection", "bytes", growth, {}, []))
    return measures


def instructions(settings, workshop, stack):
    """Instructions in user space and heap allocations per request, by callgrind: the same on every machine, so they
    have budgets."""
    budgets = json.loads((settings.root / "dev/benchmark/budget.json").read_text())
    stack.callback(workshop.start_collector().stop)
    # Valgrind 3.19 gives up on Swift's debug information.
    stripped = workshop.directory / "weft-proxy"
    subprocess.run(["strip", "--strip-debug", "-o", stripped, workshop.weft_path], check=True)

    def proxy(cluster):
        listener = envoy_config.listener(PORTS.weft, envoy_config.manager(envoy_config.one_route("backend")))
        return envoy_config.bootstrap([listener], [cluster])

    server, client = sidecars("weft", workshop.certificates)
    telemetry = Telemetry(logs=workshop.folder("logs"), traced_percent=1)
    told_server, told_client = sidecars("weft", workshop.certificates, telemetry)
    other = PORTS.weft + PORTS.second
    subjects = [
        ("plain proxy", "plain", proxy(envoy_config.cluster("backend", PORTS.backend)), PORTS.weft, None),
        ("client sidecar", "client_sidecar", client, PORTS.weft, (server, other)),
        ("server sidecar", "server_sidecar", server, other, (client, PORTS.weft)),
        ("client sidecar with full telemetry", "client_telemetry", told_client, PORTS.weft, (told_server, other)),
        ("server sidecar with full telemetry", "server_telemetry", told_server, other, (told_client, PORTS.weft)),
        ("gRPC call", "grpc", proxy(envoy_config.cluster("backend", PORTS.backend_h2, http2=True)), PORTS.weft, None)]
    measures, broken = [], []
    for name, key, bootstrap, port, peer in subjects:
        with contextlib.ExitStack() as inner:
            if peer:
                process = workshop.weft(*peer, f"{key}-peer")
                inner.callback(process.stop)
            counts = counted(workshop, stripped, key, bootstrap, port)
        for what, each in counts.items():
            budget = budgets[key][what]
            note = f" (budget {budget})"
            measures.append(Measure(f"{what} per request, {name}{note}", "", {"weft": each}, {}, []))
            if each > budget:
                broken.append(f"{name}: {each:.1f} {what} per request, the budget is {budget}")
    if broken:
        raise BudgetExceeded("; ".join(broken) + " (dev/benchmark/budget.json)")
    return measures


def counted(workshop, program, key, bootstrap, port):
    """What `program` executes and allocates for one request, after it has served some: callgrind's counts are set to
    zero then."""
    folder, count = workshop.folder(f"callgrind-{key}"), 2000
    path = envoy_config.write(folder / "bootstrap.json", bootstrap)
    output = folder / "callgrind.out"
    process = Process(f"callgrind-{key}", [
        "valgrind", "--tool=callgrind", f"--callgrind-out-file={output}", program, "-c", path, "--concurrency", "1",
        "-l", "warning"], folder).wait_for(port, seconds=120)

    def load(requests):
        if key == "grpc":
            return loads.calls(PORTS.weft, requests, workshop.grpc_request, GRPC_HEADERS, GRPC_PATH)
        loads.requests(PORTS.weft, requests)

    try:
        load(500)
        subprocess.run(["callgrind_control", "-z", str(process.child.pid)], check=True, capture_output=True)
        load(count)
        subprocess.run(["callgrind_control", "-d", str(process.child.pid)], check=True, capture_output=True)
    finally:
        process.stop(seconds=60)
    dump = output.with_name(output.name + ".1").read_text().splitlines()
    totals = [line for line in dump if line.startswith(("summary:", "totals:"))]
    return {"instructions": int(totals[-1].split()[1]) / count, "allocations": allocations(dump) / count}


def allocations(dump):
    """How often a callgrind dump says that memory was asked for. Functions have their name where they come first."""
    names, called, total = {}, None, 0
    for line in dump:
        kind, _, rest = line.partition("=")
        if kind in ("fn", "cfn"):
            number, _, name = rest.partition(" ")
            if name:
                names[number] = name
            called = number if kind == "cfn" else called
        elif kind == "calls" and names.get(called) in ("malloc", "calloc", "realloc", "posix_memalign"):
            total += int(rest.split()[0])
    return total


ALL = {row.name: row for row in [
    Row("http1", "HTTP/1.1 keep-alive, 32 connections, 60-byte reply", http1),
    Row("mesh", "two hops, sidecar to sidecar, mTLS, RBAC", mesh),
    Row("overhead", "two hops with full telemetry against none", overhead),
    Row("grpc", "gRPC unary over HTTP/2 on both sides", grpc),
    Row("body", "1 MiB responses", body),
    Row("tcp", "raw TCP", tcp),
    Row("tls", "new mTLS connections", tls),
    Row("latency", "latency at half of Envoy's saturation", latency),
    Row("update", "5,000 routes replaced under load", update_row.update),
    Row("memory", "memory", memory),
    Row("instructions", "instructions per request", instructions),
]}
