"""The parts of dev/soak: what runs beside the proxy, and what is looked at."""

import collections
import contextlib
import dataclasses
import http.client
import os
import pathlib
import random
import signal
import socket
import statistics
import struct
import subprocess
import threading
import time

from . import control as ads
from . import envoy_config, loads, other_config, report
from .processes import Process, tree
from .proxies import PORTS, Workshop

STEADY, CHAOS, EXTRA, ADMIN = 19020, 19021, 19022, 19023
DYING = [19031, 19032, 19033]
# Response flags that say: an upstream was not there, went away, or was too slow; DC, DR: the client went away.
UPSTREAM_FLAGS = {"UF", "UC", "UH", "UT", "UR", "URX", "DC", "DR"}
HOSTS, ROUTES = 200, 5


class Upstream:
    """A backend that is killed and comes back."""

    def __init__(self, workshop, port):
        self.workshop, self.port, self.deaths = workshop, port, 0
        self.process = None
        self.start()

    def start(self):
        folder = self.workshop.folder(f"upstream-{self.port}")
        path = folder / "nginx.conf"
        path.write_text(other_config.nginx_main(folder, f"""
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        location / {{ return 200 "from {self.port}"; }}
    }}
"""))
        self.process = Process(f"upstream-{self.port}", ["nginx", "-p", folder, "-c", path], folder).wait_for(self.port)

    def kill(self):
        """The master, which would start another worker, then its worker: in the middle of whatever they do."""
        for pid in tree(self.process.child.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.child.wait()
        self.process.log.close()
        self.deaths += 1


@dataclasses.dataclass
class Sample:
    second: float
    resident: int
    descriptors: int


@dataclasses.dataclass
class Result:
    seconds: int
    facts: dict
    rate: int
    samples: list
    steady: dict
    chaos: collections.Counter
    unexplained: collections.Counter
    counts: dict
    problems: list

    def text(self):
        lines = [f"{self.seconds} s at {self.rate} requests/s"]
        lines += [f"    {name}: {value}" for name, value in {**self.steady, **self.counts}.items()]
        lines.append("    chaos, status and flags: " + ", ".join(f"{key} {n}" for key, n in self.chaos.most_common()))
        lines.append("    " + "  ".join(f"{one.second:.0f}s {one.resident} kB {one.descriptors} fd" for one in self.pick()))
        lines += [f"    PROBLEM: {problem}" for problem in self.problems]
        return "\n".join(lines)

    def pick(self):
        step = max(1, len(self.samples) // 20)
        return self.samples[::step]

    def page(self):
        lines = [
            "# Soak", "",
            f"Written by `dev/soak --seconds {self.seconds} --report` on {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}. "
            f"Steady load: {self.rate} requests/s over HTTP/1.1 and HTTP/2 (70 % of what this proxy did at most on this machine "
            "with its load generator and backend on the same processors), to an upstream that lives. Beside it 200 requests/s to "
            "three upstreams that are killed and come back, clients that reset connections and streams, and two "
            "configuration changes a second (routes of 1,000, endpoints, a listener that comes and goes).", "",
            f"**{'No problem was found.' if not self.problems else 'Problems: ' + '; '.join(self.problems)}**", "",
            "| what | |", "| --- | --- |"]
        lines += [f"| {name} | {value} |" for name, value in {**self.steady, **self.counts}.items()]
        lines += ["", "Requests to the dying upstreams, by status and response flags:", "", "| status flags | count |", "| --- | --- |"]
        lines += [f"| {key} | {count} |" for key, count in self.chaos.most_common()]
        lines += ["", "Over time:", "", "| second | memory (RSS), kB | file descriptors |", "| --- | --- | --- |"]
        lines += [f"| {one.second:.0f} | {one.resident} | {one.descriptors} |" for one in self.pick()]
        lines += ["", "## Machine and versions", ""] + [f"- {name}: {fact}" for name, fact in self.facts.items()]
        return "\n".join(lines) + "\n"


def bootstrap(directory):
    value = envoy_config.dynamic(PORTS.control)
    value["admin"] = {"address": envoy_config.address(ADMIN)}
    return value


def listeners(directory):
    log = {"name": "envoy.access_loggers.file", "typed_config": {
        "@type": f"{envoy_config.TYPE}.extensions.access_loggers.file.v3.FileAccessLog", "path": str(directory / "chaos.log"),
        "log_format": {"text_format_source": {"inline_string": "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n"}}}}
    chaos = {"name": "chaos", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"match": {"prefix": "/"}, "route": {"cluster": "dying", "timeout": "5s",
                                             "retry_policy": {"retry_on": "connect-failure,reset", "num_retries": 1}}}]}]}
    return {
        "steady": envoy_config.listener(STEADY, envoy_config.manager(envoy_config.discovered_routes())),
        "chaos": envoy_config.listener(CHAOS, envoy_config.manager(chaos, access_log=[log])),
        "extra": envoy_config.listener(EXTRA, envoy_config.manager(envoy_config.one_route("backend")))}


def dying_cluster(ports):
    value = envoy_config.cluster("dying", ports[0])
    value["load_assignment"]["endpoints"] = [{"lb_endpoints": [
        {"endpoint": {"address": envoy_config.address(port)}} for port in ports]}]
    value["connect_timeout"] = "1s"
    return value


class Soak:
    def __init__(self, root, directory, seconds, share):
        self.seconds, self.share = seconds, share
        self.root = pathlib.Path(root)
        self.workshop = Workshop(root, directory)
        self.directory = pathlib.Path(directory)
        self.counts = collections.Counter()
        self.problems, self.samples = [], []
        self.stopping = threading.Event()

    def start(self):
        self.backend = self.workshop.start_backend()
        self.upstreams = [Upstream(self.workshop, port) for port in DYING]
        self.control = ads.Control(PORTS.control)
        self.control.set(ads.CLUSTER, "backend", ads.pack(ads.CLUSTER, envoy_config.cluster("backend", PORTS.backend)))
        self.control.set(ads.CLUSTER, "dying", ads.pack(ads.CLUSTER, dying_cluster(DYING)))
        self.listeners = {name: ads.pack(ads.LISTENER, value) for name, value in self.named_listeners()}
        for name in ("steady", "chaos"):
            self.control.set(ads.LISTENER, name, self.listeners[name])
        self.tables = [ads.pack(ads.ROUTE, envoy_config.table(version, HOSTS, ROUTES)) for version in range(8)]
        self.control.set(ads.ROUTE, "routes", self.tables[0])
        folder = self.workshop.folder("weft")
        path = envoy_config.write(folder / "bootstrap.json", bootstrap(self.directory))
        arguments = [self.workshop.weft_path, "-c", path, "--concurrency", "1", "-l", "warning"]
        self.proxy = Process("weft", arguments, folder).wait_for(STEADY).wait_for(CHAOS)

    def named_listeners(self):
        for name, value in listeners(self.directory).items():
            value["name"] = name
            yield name, value

    # What happens beside the load, each in a thread of its own.

    def change(self):
        """Two changes a second: routes mostly, endpoints, and a listener that comes and goes."""
        generator, version = random.Random(1), 0
        while not self.stopping.wait(0.5):
            version += 1
            kind = version % 4
            if kind == 1:
                ports = DYING if version % 8 == 1 else DYING[:2]
                self.control.set(ads.CLUSTER, "dying", ads.pack(ads.CLUSTER, dying_cluster(ports)))
            elif kind == 3 and version % 8 == 3:
                self.control.set(ads.LISTENER, "extra", self.listeners["extra"])
            elif kind == 3:
                self.control.remove(ads.LISTENER, "extra")
            else:
                self.control.set(ads.ROUTE, "routes", self.tables[generator.randrange(len(self.tables))])
            self.counts["configuration changes"] += 1

    def kill(self):
        generator = random.Random(2)
        while not self.stopping.wait(generator.uniform(1, 3)):
            upstream = generator.choice(self.upstreams)
            upstream.kill()
            self.counts["upstreams killed"] += 1
            self.stopping.wait(generator.uniform(0.1, 1))
            upstream.start()

    def reset(self):
        """Clients that go away: in the middle of a head, of a body, before the reply, and HTTP/2 streams."""
        generator = random.Random(3)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
        # HEADERS (GET / over http, authority soak), then RST_STREAM(CANCEL).
        request = bytes.fromhex("82868401") + b"\x04soak"
        frames = [b"\x00\x00" + bytes([len(request)]) + b"\x01\x05" + struct.pack(">I", stream) + request
                  + bytes.fromhex("0000040300") + struct.pack(">II", stream, 8) for stream in range(1, 40, 2)]
        texts = [b"GET / HTTP/1.1\r\nHo", b"GET / HTTP/1.1\r\nHost: soak\r\n\r\n",
                 b"POST / HTTP/1.1\r\nHost: soak\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000, preface + b"".join(frames)]
        while not self.stopping.wait(0.005):
            port = generator.choice([STEADY, CHAOS])
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
                    one.sendall(generator.choice(texts))
                    if generator.random() < 0.5:
                        time.sleep(0.002)
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.counts["clients that reset"] += 1
            except OSError as error:
                self.counts[f"clients refused: {error}"] += 1

    def watch(self, began):
        while not self.stopping.wait(1):
            pid = self.proxy.child.pid
            try:
                descriptors = len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
                self.samples.append(Sample(time.monotonic() - began, self.proxy.resident(), descriptors))
            except OSError:
                self.problems.append("the proxy ended by itself")
                return

    def generate(self, port, rate, h1, results, name):
        """h2load at a constant rate; its log says every request's status."""
        log = self.directory / f"load-{port}-{'h1' if h1 else 'h2'}.requests"
        connections = 16 if h1 else 4
        arguments = ["h2load", *(["--h1"] if h1 else []), f"-c{connections}", f"-D{self.seconds}", "--warm-up-time=0", "-t1",
                     *([] if h1 else ["-m10"]), f"--rps={max(1, rate // connections)}", f"--log-file={log}",
                     f"http://127.0.0.1:{port}/"]
        done = subprocess.run(arguments, capture_output=True, text=True)
        statuses, latencies = collections.Counter(), []
        with open(log) as lines:
            for line in lines:
                _, status, micros = line.split("\t")[:3]
                statuses[status] += 1
                latencies.append(int(micros))
        log.unlink()
        latencies.sort()
        results[name] = (statuses, latencies, done.stdout)

    def run(self):
        self.start()
        try:
            most = statistics.median(loads.wrk(STEADY, 1, connections=20)[0] for _ in range(3))
            rate = int(most * self.share)
            results, began = {}, time.monotonic()
            side = [threading.Thread(target=work) for work in (self.change, self.kill, self.reset)]
            side.append(threading.Thread(target=self.watch, args=(began,)))
            load = [
                threading.Thread(target=self.generate, args=(STEADY, int(rate * 0.7), True, results, "steady HTTP/1.1")),
                threading.Thread(target=self.generate, args=(STEADY, int(rate * 0.3), False, results, "steady HTTP/2")),
                threading.Thread(target=self.generate, args=(CHAOS, 200, True, results, "chaos"))]
            for thread in side + load:
                thread.start()
            for thread in load:
                thread.join()
            self.stopping.set()
            for thread in side:
                thread.join()
            steady = self.judge_steady(results)
            chaos, unexplained = self.judge_chaos()
            self.judge_growth()
            if self.control.refusals:
                self.problems.append(f"{len(self.control.refusals)} configurations refused: {self.control.refusals[0]}")
            self.drain()
            return Result(self.seconds, report.machine(self.root), rate, self.samples, steady, chaos, unexplained,
                          dict(self.counts), self.problems)
        finally:
            self.stopping.set()
            self.proxy.stop()
            self.control.stop()
            for upstream in self.upstreams:
                upstream.process.stop()
            self.backend.stop()

    def judge_steady(self, results):
        facts = {}
        for name in ("steady HTTP/1.1", "steady HTTP/2"):
            statuses, latencies, _ = results[name]
            good = statuses.pop("200", 0)
            facts[name] = (f"{good} requests, {sum(statuses.values())} failed, p50 {loads.percentile(latencies, 0.5)} µs, "
                           f"p99 {loads.percentile(latencies, 0.99)} µs")
            if statuses or not good:
                self.problems.append(f"{name}: {dict(statuses)} of an upstream that lives")
        return facts

    def judge_chaos(self):
        time.sleep(1.5)  # The access log is written every second.
        lines = collections.Counter()
        path = self.directory / "chaos.log"
        if path.exists():
            for line in path.read_text().splitlines():
                lines[" ".join(line.split(" ")[:2])] += 1
        unexplained = collections.Counter()
        for key, count in lines.items():
            status, flags = key.split(" ")
            if status != "200" and not set(flags.split(",")) & UPSTREAM_FLAGS:
                unexplained[key] += count
        if unexplained:
            self.problems.append(f"errors that no upstream caused: {dict(unexplained)}")
        return lines, unexplained

    def judge_growth(self):
        """The last quarter against the second: what is kept for good shows there."""
        quarter = len(self.samples) // 4
        if quarter < 3:
            return
        for name in ("resident", "descriptors"):
            early = statistics.median(getattr(one, name) for one in self.samples[quarter:2 * quarter])
            late = statistics.median(getattr(one, name) for one in self.samples[-quarter:])
            slack = 3072 if name == "resident" else 40
            self.counts[f"{name}, second and last quarter"] = f"{early:.0f} → {late:.0f}"
            if late > early * 1.1 + slack:
                self.problems.append(f"{name} grew from {early:.0f} to {late:.0f}")

    def drain(self):
        """A long download is under way when the listeners drain: it must end well, and the process with it."""
        reader = http.client.HTTPConnection("127.0.0.1", STEADY, timeout=30)
        reader.request("GET", "/large")
        reply = reader.getresponse()
        part = reply.read(1000)
        admin = http.client.HTTPConnection("127.0.0.1", ADMIN, timeout=30)
        admin.request("POST", "/drain_listeners")
        admin.getresponse().read()
        rest = len(part) + len(reply.read())
        if reply.status != 200 or rest != 1 << 20:
            self.problems.append(f"the drain cut a download short: {rest} bytes, status {reply.status}")
        reader.close()
        end = time.monotonic() + 10
        while (left := open_connections({STEADY, CHAOS})) and time.monotonic() < end:
            time.sleep(0.1)
        if left:
            self.problems.append(f"{left} downstream connections are open 10 s after the drain")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", STEADY)) == 0:
                self.problems.append("a drained listener still accepts")
        admin.request("POST", "/quitquitquit")
        admin.getresponse().read()
        admin.close()
        try:
            status = self.proxy.child.wait(20)
        except subprocess.TimeoutExpired:
            status = "does not end"
        self.counts["exit status after the drain"] = status
        if status != 0:
            self.problems.append(f"the process ended with {status} after the drain")


def open_connections(ports):
    """Established connections to these local ports, on the side that accepted."""
    count = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, _, state = line.split()[1:4]
        count += state == "01" and int(local.split(":")[1], 16) in ports
    return count


def run(root, directory, seconds, share):
    return Soak(root, directory, seconds, share).run()
