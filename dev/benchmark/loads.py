"""Load generators: wrk, h2load and small clients of our own."""

import re
import socket
import ssl
import subprocess
import threading
import time


class LoadError(RuntimeError):
    """The load saw errors, so its figures mean nothing."""


def run(arguments, timeout=300):
    result = subprocess.run([str(one) for one in arguments], capture_output=True, text=True, timeout=timeout)
    if result.returncode != 0:
        raise LoadError(f"{' '.join(map(str, arguments))}: {result.stderr[-500:]}{result.stdout[-500:]}")
    return result.stdout


def wrk(port, seconds, connections=32, path="/", headers=()):
    """Returns (requests, bytes read by the client)."""
    arguments = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    for header in headers:
        arguments += ["-H", header]
    text = run([*arguments, f"http://127.0.0.1:{port}{path}"])
    if "Non-2xx" in text or "Socket errors" in text:
        raise LoadError(text)
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    number, unit = re.search(r"requests in [^,]+, ([\d.]+)(\w+) read", text).groups()
    scale = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}[unit]
    return requests, float(number) * scale


def h2load(port, seconds, connections=8, streams=10, data=None, headers=(), path="/"):
    """HTTP/2 with prior knowledge for a span of time. Returns the requests that succeeded."""
    arguments = ["h2load", f"-c{connections}", f"-m{streams}", f"-D{seconds}", "--warm-up-time=0", "-t1"]
    for header in headers:
        arguments += ["-H", header]
    if data:
        arguments += ["-d", data]
    text = run([*arguments, f"http://127.0.0.1:{port}{path}"])
    done = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    if int(done.group(1)) == 0 or int(done.group(2)) or int(done.group(3)) or int(done.group(4)):
        raise LoadError(text)
    if not re.search(r"status codes: \d+ 2xx, 0 3xx, 0 4xx, 0 5xx", text):
        raise LoadError(text)
    return int(done.group(1))


def requests(port, count):
    """So many HTTP/1.1 requests, one after the other on one connection."""
    text = run(["h2load", "--h1", "-c1", f"-n{count}", f"http://127.0.0.1:{port}/"])
    if f"{count} succeeded" not in text:
        raise LoadError(text)


def calls(port, count, data, headers, path):
    """So many HTTP/2 requests with a body, one after the other on one connection."""
    arguments = ["h2load", "-c1", "-m1", f"-n{count}", "-d", data]
    for header in headers:
        arguments += ["-H", header]
    text = run([*arguments, f"http://127.0.0.1:{port}{path}"])
    if f"{count} succeeded" not in text:
        raise LoadError(text)


def paced(port, seconds, rate, log, connections=32):
    """A constant rate of HTTP/1.1 requests, spread over the connections. Returns (latencies in µs, failures)."""
    log.unlink(missing_ok=True)
    per_client = max(1, round(rate / connections))
    run(["h2load", "--h1", f"-c{connections}", f"-D{seconds}", "--warm-up-time=0", "-t1", f"--rps={per_client}",
         f"--log-file={log}", f"http://127.0.0.1:{port}/"], timeout=seconds + 60)
    latencies, failures = [], 0
    for line in log.read_text().splitlines():
        _, status, micros = line.split("\t")[:3]
        if status == "200":
            latencies.append(int(micros))
        else:
            failures += 1
    return sorted(latencies), failures


def arrivals(program, port, seconds, rate, seed, connections=32):
    """Requests that arrive at random at so many a second on average. Returns (latencies in µs, failures)."""
    lines = run([program, port, seconds, rate, connections, seed], timeout=seconds + 60).splitlines()
    return sorted(map(int, lines[1:])), int(lines[0].split()[1])


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def handshakes(port, seconds, certificates, threads=4):
    """New mTLS connections, one request each, no resumption. Returns how many were completed."""
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    context.check_hostname = False
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificates / "client.crt", certificates / "client.key")
    end = time.monotonic() + seconds
    counts, errors = [0] * threads, []

    def work(index):
        request = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
        while time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
                    with context.wrap_socket(plain, server_hostname="server.bench") as secure:
                        secure.sendall(request)
                        reply = secure.recv(4096)
                        if not reply.startswith(b"HTTP/1.1 200"):
                            raise LoadError(repr(reply))
                        while secure.recv(4096):
                            pass
                counts[index] += 1
            except (OSError, LoadError) as error:
                errors.append(str(error))
                return

    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise LoadError("; ".join(errors[:3]))
    return sum(counts)


def idle_connections(port, count):
    """Opens `count` keep-alive connections, one request each; the caller closes them."""
    opened = []
    request = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port), timeout=10)
        one.sendall(request)
        reply = b""
        while b"xxx" not in reply:
            part = one.recv(4096)
            if not part:
                raise LoadError(f"closed after {len(opened)} connections: {reply!r}")
            reply += part
        opened.append(one)
    return opened
