#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets `vzlogger probe` find every kind of simulated meter, and runs the section it writes with the real vzlogger.

Prints a table of times. Exit status 1 if one meter was not found, was found with other settings than it has, or gave no
readings. Standard library only.
"""
import argparse
import concurrent.futures
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PUSHED = TOP / "tests/golden/d0/push_mode_d/input.bin"
P1 = TOP / "tests/golden/d0/p1_gas/input.bin"
EVEN = ["--format", "8n1", "--parity-bit"]   # what an 8n1 port sees of a 7e1 meter
ODD = EVEN + ["--odd"]
EIGHT = ["--format", "8n1"]
NOISE = ["--faults", "flip,lost,digit,truncate", "--fault-rate", "0.3", "--seed", "5"]
PULL = {"protocol": "d0", "pullseq": "2F3F210D0A"}


def asked(baud=300, parity="7e1", **more):
    return {**PULL, "baudrate": baud, "parity": parity, **more}


def pushing(baud, parity):
    return {"protocol": "d0", "baudrate": baud, "parity": parity, "pullseq": None}


def sml(baud=9600, pull=False):
    return {"protocol": "sml", "baudrate": baud, "parity": "8n1", **({} if pull else {"pullseq": None})}


def push(mode, baud, period, *more):
    return ["--telegram", PUSHED, "--mode", mode, "--baud", baud, "--period", period, *more]


# name, arguments of vzmetersim, what the section has to say (None: must not have it)
METERS = [
    ("MT372", [], asked()),
    ("MT372, parity in the eighth bit", EVEN, asked()),
    ("MT372, odd parity", ODD, asked(parity="7o1")),
    ("MT372, echo", ["--echo"], asked()),
    ("MT372, echo, parity in the eighth bit", ["--echo", *EVEN], asked()),
    ("MT372, noise", NOISE, asked()),
    ("MT372, noise, echo, parity in the eighth bit", [*NOISE, "--echo", *EVEN], asked()),
    ("mode C, quick reaction (MT174)", ["--identification", "/ISk5MT174-0001", *EVEN], asked()),
    ("mode C, 4800", ["--identification", "/EMH4DMTZ-XC", *EVEN], asked()),
    ("mode C, 19200", ["--identification", "/SIE6TD3511", *EVEN], asked()),
    ("mode C, 300 alone", ["--identification", "/ACE0TYPE260", *EVEN], asked()),
    ("mode C, silent without acknowledge, slow", ["--no-ack", "silent", "--reaction", "1400"], asked()),
    ("mode E", ["--mode", "E", *EVEN], asked()),
    ("mode A", ["--mode", "A", "--identification", "/ABC METER", *EVEN], asked()),
    ("mode A, 2400", ["--mode", "A", "--identification", "/ABC METER", "--baud", "2400", *EVEN], asked(2400)),
    ("mode A, 9600", ["--mode", "A", "--identification", "/ABC METER", "--baud", "9600", *EVEN], asked(9600)),
    ("mode B, 2400 (UH50)", ["--identification", "/LUGCUH50", *EVEN], asked()),
    ("mode B, 9600, echo", ["--identification", "/LUGEUH50", "--echo"], asked()),
    ("mode B, battery", ["--identification", "/LUGCUH50", "--wakeup", *EVEN], {"protocol": "d0", "baudrate": 300, "parity": "7e1"}),
    ("mode C, battery", ["--wakeup", "--recovery", "0"], {"protocol": "d0", "baudrate": 300, "parity": "7e1"}),
    ("mode D, 2400, every 2 s", push("D", "2400", "2", *EVEN), pushing(2400, "7e1")),
    ("mode D, 2400, every 10 s", push("D", "2400", "10", *EVEN), pushing(2400, "7e1")),
    ("push, 9600 7e1, every second", push("push", "9600", "1", *EVEN), pushing(9600, "7e1")),
    ("push, 9600 7e1, every 10 s", push("push", "9600", "10", *EVEN), pushing(9600, "7e1")),
    ("push, 9600 7o1", push("push", "9600", "3", *ODD), pushing(9600, "7o1")),
    ("push, 9600 8n1", push("push", "9600", "3", *EIGHT), pushing(9600, "8n1")),
    ("push, 9600 7e1, noise", push("push", "9600", "2", *EVEN, "--faults", "lost,truncate", "--fault-rate", "0.3", "--seed", "7"),
     pushing(9600, "7e1")),
    ("push, 300 7e1, every 10 s", push("push", "300", "10", *EVEN), pushing(300, "7e1")),
    ("push, 1200 7e1, every 10 s", push("push", "1200", "10", *EVEN), pushing(1200, "7e1")),
    ("push, 4800 8n1", push("push", "4800", "3", *EIGHT), pushing(4800, "8n1")),
    ("push, 19200 7e1, every 10 s", push("push", "19200", "10", *EVEN), pushing(19200, "7e1")),
    ("P1, 115200, every second", ["--telegram", P1, "--period", "1"], pushing(115200, "8n1")),
    ("P1, 115200, every 10 s", ["--telegram", P1, "--period", "10"], pushing(115200, "8n1")),
    ("P1, 9600 7e1 (DSMR 2)", ["--telegram", P1, "--period", "10", "--baud", "9600", *EVEN], pushing(9600, "7e1")),
    ("SML, every second", ["--meter", "ehz", "--period", "1"], sml()),
    ("SML, every 4 s", ["--meter", "ehz", "--period", "4"], sml()),
    ("SML, every 10 s", ["--meter", "ehz", "--period", "10"], sml()),
    ("SML, noise", ["--meter", "ehz", "--period", "2", "--faults", "flip,lost", "--fault-rate", "0.3", "--seed", "2"], sml()),
    ("SML, 115200", ["--meter", "ehz", "--period", "2", "--baud", "115200"], sml(115200)),
    ("SML on request", ["--meter", "ehz", "--mode", "A"], sml(pull=True)),
    ("SML on request, echo", ["--meter", "ehz", "--mode", "A", "--echo"], sml(pull=True)),
    ("MT372 over TCP", None, {"protocol": "d0", "pullseq": "2F3F210D0A"}),
    ("SML over TCP", ["--meter", "ehz", "--period", "2"], {"protocol": "sml", "pullseq": None}),
    ("P1 over TCP", ["--telegram", P1, "--period", "2"], {"protocol": "d0", "pullseq": None}),
]


def start(arguments, folder, name):
    output = open(Path(folder) / name, "wb")
    env = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "JOURNAL_STREAM")}
    env["STATE_DIRECTORY"] = str(folder)
    return subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env)


def wait_for(process, folder, name, pattern, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = re.search(pattern, (Path(folder) / name).read_text(errors="replace"))
        if found:
            return found
        if process.poll() is not None:
            return None
        time.sleep(0.05)
    return None


def stop(process):
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def differences(section, expected):
    wrong = []
    for key, value in expected.items():
        if section.get(key) != value:
            wrong.append(f"{key} is {section.get(key)!r}, not {value!r}")
    return wrong


def one(meter, programs, keep_running):
    name, arguments, expected = meter
    with tempfile.TemporaryDirectory() as folder:
        tcp = name.endswith("over TCP")
        line = ["--tcp", "0"] if tcp else ["--pty", f"{folder}/meter"]
        sim = start([programs / "vzmetersim", *line, *(arguments or [])], folder, "sim.out")
        try:
            ready = wait_for(sim, folder, "sim.out", r"ready on (\S+)", 20)
            if not ready:
                return name, None, (Path(folder) / "sim.out").read_text(errors="replace").strip()
            began = time.monotonic()
            probe = start([programs / "vzlogger", "probe", ready[1], "--json", "-q", "--limit", "90", "--write", f"{folder}/found.conf"], folder,
                          "probe.out")
            try:
                probe.wait(120)
            finally:
                stop(probe)
            seconds = time.monotonic() - began
            lines = (Path(folder) / "probe.out").read_text(errors="replace").splitlines()
            result = next((json.loads(text) for text in lines if text.startswith("{")), {})
            seconds = result.get("seconds", seconds)  # without the rest that a meter gets before the program ends
            if not result.get("found"):
                return name, seconds, "not found: " + "; ".join(lines)[:300]
            wrong = differences(result["section"], expected)
            if wrong:
                return name, seconds, "; ".join(wrong)
            daemon = start([programs / "vzlogger", "-f", "-v", "15", "-c", f"{folder}/found.conf"], folder, "daemon.out")
            try:
                reading = wait_for(daemon, folder, "daemon.out", r"Adding reading", keep_running)
            finally:
                stop(daemon)
            if not reading:
                return name, seconds, "the section gives no readings: " + (Path(folder) / "daemon.out").read_text(errors="replace")[-600:]
            return name, seconds, None
        finally:
            stop(sim)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=TOP / "build/release/bin", help="folder of the programs")
    parser.add_argument("--only", help="regular expression: these meters alone")
    parser.add_argument("--jobs", type=int, default=4, help="meters at a time")
    parser.add_argument("--patience", type=float, default=60, help="seconds for the first reading of the written section")
    arguments = parser.parse_args()
    meters = [m for m in METERS if not arguments.only or re.search(arguments.only, m[0])]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda m: one(m, arguments.bin, arguments.patience), meters))
    width = max(len(m[0]) for m in meters)
    for name, seconds, trouble in results:
        print(f"{name:{width}}  {'' if seconds is None else f'{seconds:5.1f} s':>8}  {'ok' if trouble is None else trouble}")
    times = [s for _, s, trouble in results if trouble is None]
    failed = sum(trouble is not None for _, _, trouble in results)
    if times:
        mt372 = [s for n, s, t in results if t is None and n.startswith("MT372")]
        print(f"\n{len(times)} of {len(results)} meters: median {statistics.median(times):.1f} s, worst {max(times):.1f} s"
              + (f"; MT372 median {statistics.median(mt372):.1f} s" if mt372 else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
