"""A network namespace of one's own, and enough descriptors."""

import os
import resource
import sys


def enter_namespace(script):
    """Runs the rest in a fresh network namespace, so that ports are ours and nothing leaves the machine."""
    if os.geteuid() != 0 or os.environ.get("WEFT_BENCH_INSIDE"):
        return
    inside = 'ip link set lo up && exec "$@"'
    arguments = ["unshare", "--net", "sh", "-c", inside, "sh", sys.executable, os.path.abspath(script), *sys.argv[1:]]
    os.execvpe("unshare", arguments, {**os.environ, "WEFT_BENCH_INSIDE": "1"})


def raise_descriptor_limit():
    """10,000 idle connections need as many descriptors in the client and in the proxy."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
