"""The row "update": a route table of 5,000 routes is replaced while requests run."""

import http.client
import statistics
import threading
import time

from . import envoy_config, loads
from .proxies import PORTS

HOSTS, ROUTES = 1000, 5
VERSIONS = 8


class Watcher:
    """Asks for `/version` on one connection until it says what is awaited."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def version(self):
        self.connection.request("GET", "/version")
        return self.connection.getresponse().read().decode()

    def wait(self, version, seconds=20):
        """Returns the moment at which `version` was served first."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.version() == f"v{version}":
                return time.monotonic()
            time.sleep(0.001)
        raise loads.LoadError(f"version {version} was not live after {seconds} s")


def start(workshop, subject, control):
    """A proxy that is served by `control` and has the first table."""
    from . import control as ads
    port = getattr(PORTS, subject)
    listener = envoy_config.listener(port, envoy_config.manager(envoy_config.discovered_routes()))
    control.set(ads.CLUSTER, "backend", ads.pack(ads.CLUSTER, envoy_config.cluster("backend", PORTS.backend)))
    control.set(ads.LISTENER, listener["name"], ads.pack(ads.LISTENER, listener))
    control.set(ads.ROUTE, "routes", ads.pack(ads.ROUTE, envoy_config.table(0, HOSTS, ROUTES)))
    return getattr(workshop, subject)(envoy_config.dynamic(PORTS.control), port)


def load(port, seconds, rate, log, updates=None):
    """A paced load; `updates` runs beside it. Returns (latencies, failures)."""
    result = {}
    worker = threading.Thread(target=lambda: result.update(all=loads.paced(port, seconds, rate, log)))
    worker.start()
    time.sleep(0.3)
    try:
        if updates:
            updates()
    finally:
        worker.join()
    return result["all"]


def measure(settings, workshop, stack, changed, what):
    """Quiet and changing spans in turn, for each subject by itself, so that the other takes no processor."""
    from . import control as ads
    from .rows import Measure
    seconds, rate = max(3, round(settings.seconds)), 4000
    packed = [ads.pack(ads.ROUTE, envoy_config.table(version, HOSTS, ROUTES, changed)) for version in range(VERSIONS)]
    live, quiet, busy, cost = {}, {}, {}, {}
    for subject in settings.wants(["envoy", "weft"]):
        port, log = getattr(PORTS, subject), workshop.directory / "update.log"
        control = ads.Control(PORTS.control)
        process = start(workshop, subject, control)
        try:
            watcher = Watcher(port)
            watcher.wait(0)
            version = 0
            live[subject], quiet[subject], busy[subject], cost[subject] = [], [], [], []

            def updates():
                nonlocal version
                for _ in range(2 * seconds - 2):
                    version += 1
                    pushed = control.set(ads.ROUTE, "routes", packed[version % VERSIONS])
                    live[subject].append((watcher.wait(version % VERSIONS) - pushed) * 1000)
                    time.sleep(max(0.0, pushed + 0.5 - time.monotonic()))

            loads.paced(port, 1, rate, log)
            for _ in range(settings.rounds):
                spent = process.cpu()
                latencies, failed = load(port, seconds, rate, log)
                still = process.cpu() - spent
                quiet[subject].append(loads.percentile(latencies, 0.99))
                count, spent = len(live[subject]), process.cpu()
                latencies, failures = load(port, seconds, rate, log, updates)
                cost[subject].append((process.cpu() - spent - still) / 1e6 / (len(live[subject]) - count))
                busy[subject].append(loads.percentile(latencies, 0.99))
                if failed + failures:
                    raise loads.LoadError(f"{subject}: {failed + failures} requests failed")
            if control.refusals:
                raise loads.LoadError(f"{subject} refused: {control.refusals[0]}")
        finally:
            process.stop()
            control.stop()
    def middle(table):
        return {subject: statistics.median(each) for subject, each in table.items()}

    return [
        Measure(f"{what}: time until live", "ms", middle(live), live, []),
        Measure(f"{what}: CPU per update", "ms", middle(cost), cost, []),
        Measure(f"{what}: p99 latency, two updates a second", "µs", middle(busy), busy, []),
        Measure(f"{what}: p99 latency without updates", "µs", middle(quiet), quiet, []),
    ]


def update(settings, workshop, stack):
    return [
        *measure(settings, workshop, stack, 1, "one of 1,000 hosts changed"),
        *measure(settings, workshop, stack, None, "all 5,000 routes changed"),
    ]
