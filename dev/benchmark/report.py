"""Prints results, and writes docs/benchmarks/REPORT.md with report.json beside it (REPORT-SHARED.md with neighbours)."""

import dataclasses
import json
import pathlib
import platform
import subprocess
import time

SUBJECTS = ["weft", "envoy", "nginx", "haproxy", "floor"]


def figure(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def verdict(measure):
    """Every target as `0.31 × envoy (≤ 0.35: met)`; where it was measured, what share a bare forwarder needs."""
    parts = []
    for peer, most in measure.targets:
        if "weft" not in measure.values or peer not in measure.values:
            continue
        share = measure.values["weft"] / measure.values[peer]
        judged = f" (≤ {most}: {'met' if share <= most else 'missed'}{floor(measure, peer)})" if most else ""
        parts.append(f"{share:.2f} × {peer}{judged}")
    return ", ".join(parts)


def floor(measure, peer):
    if "floor" not in measure.values:
        return ""
    return f"; a bare forwarder {measure.values['floor'] / measure.values[peer]:.2f}"


def show(result):
    if "error" in result:
        print(f"    not measured: {result['error']}")
    for measure in result["measures"]:
        values = "  ".join(f"{name} {figure(measure.values[name])}" for name in SUBJECTS if name in measure.values)
        print(f"    {measure.name}, {measure.unit}: {values}  {verdict(measure)}", flush=True)


def first_line(*command):
    try:
        result = subprocess.run([str(one) for one in command], capture_output=True, text=True)
    except OSError as error:
        return str(error)
    text = (result.stdout + result.stderr).strip()
    return text.splitlines()[0].strip() if text else ""


def machine(root):
    cpu = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
           if line.startswith("model name")]
    memory = pathlib.Path("/proc/meminfo").read_text().splitlines()[0].split()[1]
    return {
        "cpu": f"{len(cpu)} × {cpu[0] if cpu else platform.machine()}",
        "memory": f"{int(memory) >> 20} GiB",
        "kernel": platform.release(),
        "load average before": pathlib.Path("/proc/loadavg").read_text().split()[0],
        "weft": first_line("git", "-C", root, "describe", "--always", "--dirty", "--exclude", "*"),
        "envoy": first_line(root / ".build-tools/envoy/envoy/_bin/envoy", "--version"),
        "nginx": first_line("nginx", "-v"),
        "haproxy": first_line("haproxy", "-v"),
        "wrk": first_line("wrk", "-v"),
        "h2load": first_line("h2load", "--version"),
        "swift": first_line("swift", "--version"),
    }


def write(root, results, settings):
    folder = root / "docs/benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    facts = machine(root)
    name, command, beside = "report", "dev/bench all", ""
    if settings.neighbours:
        name, command = "report-shared", f"dev/bench all --neighbours {settings.neighbours}"
        beside = f" Beside {settings.neighbours} C compilers, which run all the time and fill the caches."
    value = {
        "machine": facts, "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "rounds": settings.rounds, "seconds": settings.seconds,
        "rows": [{**row, "measures": [dataclasses.asdict(measure) for measure in row["measures"]]} for row in results]}
    (folder / f"{name}.json").write_text(json.dumps(value, indent=1) + "\n")
    lines = [
        "# What the proxy costs", "",
        f"Written by `{command}` on {value['date']}: {settings.rounds} rounds of {settings.seconds:g} s in "
        "alternating order, medians. CPU is the kernel's accounting of the proxy's processes. One worker each. "
        f"Lower is better everywhere.{beside}", "",
        "| row | what | unit | Weft | Envoy | nginx | HAProxy | bare forwarder | against the target |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in results:
        if "error" in row:
            lines.append(f"| {row['row']} | not measured: {row['error'].splitlines()[0][:160]} | | | | | | | |")
        for measure in row["measures"]:
            cells = [figure(measure.values[name]) if name in measure.values else "" for name in SUBJECTS]
            lines.append(f"| {row['row']} | {measure.name} | {measure.unit} | {' | '.join(cells)} | {verdict(measure)} |")
    lines += ["", "## Machine and versions", ""]
    lines += [f"- {name}: {fact}" for name, fact in facts.items()]
    lines += ["", f"The configuration of every row is in `dev/benchmark/rows.py`; single rounds are in `{name}.json`."]
    notes = folder / "NOTES.md"
    if notes.exists():
        lines += ["", "[NOTES.md](NOTES.md) says what the figures mean and what they leave out."]
    page = folder / f"{name.upper()}.md"
    page.write_text("\n".join(lines) + "\n")
    print(f"wrote {page}")
