"""Starting what is measured, and reading what the kernel accounts to it."""

import os
import pathlib
import signal
import socket
import subprocess
import time


def tree(pid):
    """The process and its descendants."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                pass  # It ended meanwhile.
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


class Process:
    """A subject of measurement: started, asked for its cost, stopped by its own pid."""

    def __init__(self, name, arguments, directory, environment=None):
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.log_path = pathlib.Path(directory) / f"{name}.log"
        self.log = open(self.log_path, "wb")
        self.child = subprocess.Popen(
            self.arguments, stdout=self.log, stderr=subprocess.STDOUT, cwd=directory,
            env={**os.environ, **(environment or {})})

    def wait_for(self, port, seconds=60):
        """Returns when `port` accepts; raises with the end of the log when the process ends before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.child.poll() is not None:
                break
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return self
            time.sleep(0.05)
        self.log.flush()
        raise RuntimeError(f"{self.name} does not listen on {port}:\n{self.log_path.read_text()[-2000:]}")

    def cpu(self):
        """Nanoseconds on a CPU, user and kernel, of all threads of the whole tree (schedstat's first number)."""
        total = 0
        for pid in tree(self.child.pid):
            for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
                total += int(stat.read_text().split()[0])
        return total

    def resident(self):
        """Kilobytes in memory (`VmRSS`) of the tree."""
        total = 0
        for pid in tree(self.child.pid):
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1])
        return total

    def stop(self, seconds=3):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.log.close()
