#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what vzlogger promises, with the real programs: vzmetersim, vzlogger, vzmiddleware.

Prints figures and judges none but the counts that must be nought (lost, invented, doubled readings); its exit status is 1
if one of those is not. Standard library only. scripts/bench builds the programs and calls this one.
"""
import argparse
import json
import os
import re
import selectors
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid as uuids
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
PULL = "2F3F210D0A"
# characters of ten bits: 7E1
ACK_CHARACTERS = 6
REQUEST_CHARACTERS = 5


def say(text=""):
    print(text, flush=True)


class Program:
    """A program of the build; its output goes to a file, and nothing of it outlives this object."""

    def __init__(self, arguments, folder, name):
        self.output = Path(folder) / f"{name}.out"
        clean = {k: v for k, v in os.environ.items() if k.lower() not in
                 ("notify_socket", "watchdog_usec", "http_proxy", "https_proxy", "all_proxy", "journal_stream")}
        clean["RUNTIME_DIRECTORY"] = clean["STATE_DIRECTORY"] = str(folder)
        with open(self.output, "wb") as file:
            self.process = subprocess.Popen([str(a) for a in arguments], stdout=file, stderr=subprocess.STDOUT,
                                            stdin=subprocess.DEVNULL, env=clean)
        self.name = name

    def text(self):
        return self.output.read_text(errors="replace")

    def wait_for(self, pattern, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = re.search(pattern, self.text())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise SystemExit(f"{self.name}: no `{pattern}` in its output:\n{self.text()[-2000:]}")

    def stop(self):
        """How long it took to end after SIGTERM, and its status."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        return time.monotonic() - began, status


class Bench:
    """A folder of its own and the programs that run in it."""

    def __init__(self, bin_folder):
        self.bin = bin_folder
        self.temporary = tempfile.TemporaryDirectory(prefix="vz-bench-")
        self.folder = Path(self.temporary.name)
        self.programs = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in reversed(self.programs):
            program.stop()
        self.temporary.cleanup()

    def start(self, program, *arguments, name=None):
        started = Program([self.bin / program, *arguments], self.folder, name or program)
        self.programs.append(started)
        return started

    def middleware(self, channels, *arguments):
        create = []
        for channel in channels:
            create += ["--create", f"type=electric meter,title=bench,resolution=1,uuid={channel}"]
        program = self.start("vzmiddleware", "--db", self.folder / "db.sqlite", "--quiet", *create, *arguments)
        return program, program.wait_for(r"listening on (\S+)").group(1)

    def meter(self, *arguments, name="vzmetersim"):
        log = self.folder / f"{name}.jsonl"
        program = self.start("vzmetersim", "--log", log, *arguments, name=name)
        return program, program.wait_for(r"ready on (\S+)").group(1), log

    def daemon(self, config, *arguments):
        path = self.folder / "vzlogger.conf"
        path.write_text(config)
        return self.start("vzlogger", "-f", "-c", path, *arguments)

    def stored(self, channel):
        """(ms, value) of each reading of the channel, in the order of their stamps."""
        out = subprocess.run([self.bin / "vzmiddleware", "--db", self.folder / "db.sqlite", "--dump", channel],
                             check=True, capture_output=True, text=True).stdout
        return [(int(ms), float(value)) for ms, value in (line.split() for line in out.splitlines())]


def events(log):
    with open(log, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def page_config(path, device, channel, middleware, log):
    """The page's file with nothing but uuid, device, URL and log replaced."""
    text = path.read_text()
    for key, value in (("uuid", channel), ("device", device), ("middleware", middleware), ("log", log)):
        text, count = re.subn(rf'("{key}"\s*:\s*)"[^"]*"', lambda m: f'{m.group(1)}"{value}"', text)
        if count != 1:
            raise SystemExit(f"{path}: {count} times \"{key}\", one expected")
    return text


def d0_meter(endpoint, channel, middleware, **more):
    meter = {"enabled": True, "protocol": "d0", "pullseq": PULL, "ackseq": "auto", "baudrate": 300, "interval": -1,
             "channels": [{"uuid": channel, "identifier": "1.8.0", "aggmode": "none",
                           **({"api": "volkszaehler", "middleware": middleware} if middleware else {"api": "null"})}]}
    meter["device" if endpoint.startswith("/") else "host"] = endpoint
    meter.update(more)
    return {key: value for key, value in meter.items() if value is not None}


def config(meters, verbosity=0):
    return json.dumps({"retry": 0, "verbosity": verbosity, "meters": meters}, indent=1)


class Readout:
    def __init__(self, value, damaged, first, last):
        self.value, self.damaged, self.first, self.last = value, damaged, first, last


def readouts(log, code="1.8.0"):
    """Each readout that the meter finished: its value, whether it was damaged, when its block began and ended (wall)."""
    first = last = None
    for event in events(log):
        if event["event"] == "block_first_byte":
            first = event["wall_ms"]
        elif event["event"] == "block_last_byte":
            last = event["wall_ms"]
        elif event["event"] == "readout":
            yield Readout(float(event["values"][code]), event["damaged"], first, last)


class Verdict:
    def __init__(self):
        self.missing = self.invented = self.twice = self.late = 0

    def good(self):
        return not (self.missing or self.invented or self.twice or self.late)

    def __str__(self):
        return f"{self.missing} lost, {self.invented} invented, {self.twice} twice, {self.late} stamps outside the readout"


def compare(sent, stored, slack_ms=2):
    """Undamaged readouts against what the database holds. Every readout has a value of its own."""
    verdict = Verdict()
    whole = {r.value: r for r in sent if not r.damaged}
    seen = set()
    for ms, value in stored:
        readout = whole.get(value)
        if readout is None:
            verdict.invented += 1
        elif value in seen:
            verdict.twice += 1
        elif not readout.first - slack_ms <= ms <= readout.last + slack_ms:
            verdict.late += 1
        seen.add(value)
    verdict.missing = len(set(whole) - seen)
    return verdict


def wait_stored(bench, channel, count, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end and len(bench.stored(channel)) < count:
        time.sleep(0.1)


# ---- (a) and (c): at the real line speed, the meter deaf for three seconds after each readout ----

def realtime(options):
    seconds = options.minutes * 60
    say(f"realtime: {options.config.name} at real line speed for {options.minutes:g} minutes")
    with Bench(options.bin) as bench:
        channel = str(uuids.uuid4())
        _, url = bench.middleware([channel])
        meter, device, log = bench.meter("--meter", "mt372", "--pty", bench.folder / "tty", "--quiet")
        daemon = bench.daemon(page_config(options.config, device, channel, url, bench.folder / "vzlogger.log"))
        time.sleep(seconds)
        meter.stop()
        sent = list(readouts(log))
        wait_stored(bench, channel, sum(not r.damaged for r in sent))
        stop_time, status = daemon.stop()
        stored = bench.stored(channel)
        verdict = compare(sent, stored)
        offsets = sorted(ms - r.first for ms, value in stored for r in sent if r.value == value)
        say(f"  {len(sent)} readouts, {len(stored)} readings stored: {verdict}")
        if offsets:
            say(f"  stamp behind the first byte of the data block: {offsets[0]} to {offsets[-1]} ms")
        say(f"  daemon ended with status {status} in {stop_time:.3f} s, "
            f"{len((bench.folder / 'vzlogger.log').read_text().splitlines())} log lines")
        report_cycle(log)
        return verdict.good() and bool(sent) and status == 0


def report_cycle(log, skip=10):
    ends = []
    requests = ignored = 0
    for event in events(log):
        kind = event["event"]
        if kind == "readout":
            ends.append(event["mono_ms"])
        if len(ends) < skip:
            continue
        requests += kind == "request_complete"
        ignored += kind == "ignored_request"
    if len(ends) < skip + 2:
        say("  too few readouts for an average")
        return
    spans = [b - a for a, b in zip(ends[skip - 1:], ends[skip:])]
    total = requests
    say(f"  after the first {skip}: a reading every {statistics.mean(spans) / 1000:.3f} s (average of {len(spans)}, "
        f"longest {max(spans) / 1000:.3f}), {ignored} of {total} requests ignored "
        f"({100 * ignored / max(1, total):.1f} %)   [target: 5.2 s, 1 %; old daemon: 17.15 s]")


def recovery(options):
    say(f"recovery: the meter ignores requests for 3 s after a readout; {options.readings} readings behind the first ten")
    with Bench(options.bin) as bench:
        channel = str(uuids.uuid4())
        _, url = bench.middleware([channel])
        meter, device, log = bench.meter("--meter", "mt372", "--recovery", 3, "--pty", bench.folder / "tty", "--quiet",
                                         "--readouts", options.readings + 10)
        daemon = bench.daemon(page_config(options.config, device, channel, url, bench.folder / "vzlogger.log"))
        meter.process.wait(20 * (options.readings + 10) + 60)
        sent = list(readouts(log))
        wait_stored(bench, channel, len(sent))
        daemon.stop()
        report_cycle(log)
        return compare(sent, bench.stored(channel)).good()


# ---- (b): from the first byte of the request to the POST ----

class RecordingServer:
    """Takes every POST as a middleware would and notes when its first byte came."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/middleware.php"
        self.arrivals = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        data = b""
        while True:
            new = connection.recv(65536)
            now = time.monotonic() * 1000
            if not new:
                return
            if not data:
                began = now
            data += new
            head, separator, body = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if not separator or len(body) < int(length.group(1)):
                continue
            self.arrivals.append((began, float(json.loads(body)[0][1])))
            data = b""
            reply = b'{"version":"0.3","rows":%d}' % len(json.loads(body))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                               % (len(reply), reply))


def telegram_lengths(options):
    """Characters of the identification and of the data message, by a readout without a line's speed."""
    with Bench(options.bin) as bench:
        _, address, _ = bench.meter("--meter", "mt372", "--tcp", 0, "--speed", "unlimited", "--reaction", 0, "--quiet")
        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 5) as line:
            line.sendall(b"/?!\r\n")
            identification = b""
            while not identification.endswith(b"\n"):
                identification += line.recv(100)
            time.sleep(0.2)
            line.sendall(b"\x06050\r\n")
            block = b""
            while b"\x03" not in block[:-1]:
                block += line.recv(4096)
            return len(identification), len(block)


def latency(options):
    identification, block = telegram_lengths(options)
    slow, fast = 10 / 300, 10 / 9600
    ideal = (REQUEST_CHARACTERS * slow + 0.2 + identification * slow + 0.2 + ACK_CHARACTERS * slow + 0.2 + block * fast)
    say(f"latency: request's first byte to POST, median of {options.count}, meter without recovery time")
    say(f"  the line needs {ideal * 1000:.1f} ms: {REQUEST_CHARACTERS} + {identification} + {ACK_CHARACTERS} characters at "
        f"300 baud, {block} at 9600, three reaction times of 200 ms")
    with Bench(options.bin) as bench:
        server = RecordingServer()
        meter, device, log = bench.meter("--meter", "mt372", "--recovery", 0, "--pty", bench.folder / "tty", "--quiet",
                                         "--readouts", options.count + 2)
        daemon = bench.daemon(page_config(options.config, device, str(uuids.uuid4()), server.url,
                                          bench.folder / "vzlogger.log"))
        meter.process.wait(10 * options.count + 60)
        time.sleep(0.5)
        daemon.stop()
        began, first, last = None, {}, {}
        for event in events(log):
            if event["event"] == "request_first_byte":
                began = event["mono_ms"]
            elif event["event"] == "readout":
                first[float(event["values"]["1.8.0"])] = began
        spans = [(at - first[value]) / 1000 for at, value in server.arrivals if value in first]
        # the first readout of a run is read without knowing how long the telegram is
        begin, spans = spans[:1], spans[1:options.count + 1]
        median = statistics.median(spans)
        say(f"  median {median * 1000:.1f} ms = {median / ideal:.4f} times the ideal (min {min(spans) * 1000:.1f}, "
            f"max {max(spans) * 1000:.1f}, n={len(spans)}; the first of all {begin[0] * 1000:.1f})   "
            f"[target: 1.01 times; old daemon: 1822.5 ms without the BCC]")
        return True


# ---- (d): one fault a readout ----

ONE_FAULT = "flip,digit,lost,truncate,badbcc,silence,slow,hangup"


def faults(options):
    count = options.readouts
    lines = options.lines
    each = -(-count // lines)
    say(f"faults: {lines} meters over {options.line} at once, {each} damaged readouts each ({options.kinds}), every "
        f"second one on average; seed {options.seed}")
    with Bench(options.bin) as bench:
        channels = [str(uuids.uuid4()) for _ in range(lines)]
        _, url = bench.middleware(channels)
        meters, sims = [], []
        for i, channel in enumerate(channels):
            where = ["--tcp", 0] if options.line == "tcp" else ["--pty", bench.folder / f"tty{i}"]
            sims.append(bench.meter("--meter", "mt372", *where, "--speed", "unlimited", "--reaction", 0, "--faults",
                                    options.kinds, "--fault-rate", 0.5, "--seed", options.seed + i, "--hangup-time", 0.1,
                                    "--quiet", name=f"meter{i}"))
            meters.append(d0_meter(sims[-1][1], channel, url))
        daemon = bench.daemon(config(meters))
        began = time.monotonic()
        running = set(range(lines))
        while running and time.monotonic() - began < options.limit:
            time.sleep(2)
            for i in list(running):
                if sims[i][2].read_bytes().count(b'"event":"fault"') >= each:
                    sims[i][0].stop()
                    running.discard(i)
        for i in running:
            sims[i][0].stop()
        took = time.monotonic() - began
        kinds, damaged_kinds = {}, {}
        verdict, total_sent, total_stored, deceived = Verdict(), 0, 0, 0
        for i, channel in enumerate(channels):
            sent = list(readouts(sims[i][2]))
            good = sum(not r.damaged for r in sent)
            wait_stored(bench, channel, good)
            stored = bench.stored(channel)
            # such a readout takes no time at all, and a hundred meters share the machine with their reader
            one = compare(sent, stored, slack_ms=50)
            for key in vars(one):
                setattr(verdict, key, getattr(verdict, key) + getattr(one, key))
            if not one.good():
                say(f"  meter {i} (seed {options.seed + i}): {one}")
            total_sent += good
            total_stored += len(stored)
            for event in events(sims[i][2]):
                if event["event"] == "fault":
                    kinds[event["kind"]] = kinds.get(event["kind"], 0) + 1
                    deceived += bool(event.get("damaged") and event.get("check_holds"))
        stop_time, status = daemon.stop()
        say(f"  {sum(kinds.values())} faults in {took:.0f} s: " + ", ".join(f"{k} {v}" for k, v in sorted(kinds.items())))
        say(f"  damaged, yet with a check value that fits: {deceived}")
        say(f"  {total_sent} undamaged readouts, {total_stored} readings stored: {verdict}   [target: 0 wrong, all stored; "
            f"old daemon: 67 of 67 wrong digits stored]")
        say(f"  daemon ended with status {status} in {stop_time:.3f} s; it wrote "
            f"{len(daemon.text().splitlines())} lines to its log")
        if options.keep_log:
            Path(options.keep_log).write_text(daemon.text())
        return verdict.good() and not running and status == 0


# ---- (g): context switches with a meter that pushes ----

def switch_counts(pid):
    """Of all threads: voluntary ones (waits), and those forced by other programs on the machine."""
    voluntary = forced = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                voluntary += int(line.split()[1])
            elif line.startswith("nonvoluntary_ctxt_switches"):
                forced += int(line.split()[1])
    return voluntary, forced


def push_telegram():
    """256 bytes, identification and check value included."""
    block = (b"F.F(00000000)\r\n0.0.0(58231541)\r\nC.1.0(58231541)\r\n0.9.1(175102)\r\n0.9.2(120619)\r\n"
             b"1.8.0(00132.149*kWh)\r\n1.8.1(00132.149*kWh)\r\n1.8.2(00000.000*kWh)\r\n2.8.0(00000.000*kWh)\r\n"
             b"16.7.0(000123.4*W)\r\n")
    head = b"/ISK5\\2MT372-0002\r\n\x02"
    tail = b"!\r\n\x03"
    block += b"C.5(" + b"0" * (256 - len(head) - len(block) - len(tail) - 1 - 7) + b")\r\n" + tail
    check = 0
    for byte in block:
        check ^= byte
    return head + block + bytes([check])


def switches(options):
    say(f"switches: push meter, 256 bytes a second at 9600 baud, {options.seconds} s each")
    for api in ("volkszaehler", "null"):
        with Bench(options.bin) as bench:
            channel = str(uuids.uuid4())
            url = bench.middleware([channel])[1] if api == "volkszaehler" else None
            telegram = bench.folder / "telegram"
            telegram.write_bytes(push_telegram())
            _, device, log = bench.meter("--telegram", telegram, "--mode", "push", "--baud", 9600, "--period", 1, "--step",
                                         "1.8.0=0.001", "--pty", bench.folder / "tty", "--quiet")
            daemon = bench.daemon(config([d0_meter(device, channel, url, pullseq=None, ackseq=None, baudrate=9600,
                                                   interval=None)]))
            time.sleep(5)
            began, before = time.monotonic(), switch_counts(daemon.process.pid)
            cpu = cpu_seconds(daemon.process.pid)
            sent = sum(e["event"] == "readout" for e in events(log))
            time.sleep(options.seconds)
            minutes = (time.monotonic() - began) / 60
            waits, forced = [(a - b) / minutes for a, b in zip(switch_counts(daemon.process.pid), before)]
            cpu = cpu_seconds(daemon.process.pid) - cpu
            sent = sum(e["event"] == "readout" for e in events(log)) - sent
            say(f"  api {api}: {waits:.0f} + {forced:.0f} context switches a minute ({sent / minutes:.1f} telegrams), "
                f"{cpu / minutes:.3f} s of CPU a minute, {resident(daemon.process.pid)} resident   "
                f"[target: 300; old daemon: 15 300 + 110, 0.253 s, 14.0 MB]")
    return True


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    return 0


def resident(pid):
    return f"{resident_bytes(pid) / 1024 / 1024:.1f} MB"


# ---- SIGKILL ----

def crash(options):
    say(f"crash: SIGKILL at random moments, {options.kills} times with commit_interval 0 and as many with the default")
    out = subprocess.run([str(options.bin / "test_e2e"), "--gtest_filter=Crash.*", "--gtest_color=no"], check=False,
                         capture_output=True, text=True,
                         env={**os.environ, "VZ_KILLS": str(options.kills), "VZ_SEED": str(options.seed)})
    for line in out.stdout.splitlines():
        if line.startswith("crash:"):
            say("  " + line[6:].strip())
    if out.returncode:
        say(out.stdout[-3000:])
    return out.returncode == 0


# ---- a head that is unplugged and plugged in again ----

def run_ns(pid):
    """Time on a processor, of all threads, in nanoseconds."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())


def replug(options):
    say(f"replug: the meter's node goes for {options.away:g} s and comes back, {options.replugs} times; a telegram every 0.1 s")
    delays, ok = [], True
    with Bench(options.bin) as bench:
        channel = str(uuids.uuid4())
        url = bench.middleware([channel])[1]
        arguments = ["--mode", "push", "--baud", 9600, "--period", 0.1, "--step", "1.8.0=0.001", "--speed", "unlimited",
                     "--pty", bench.folder / "tty", "--quiet"]
        meter, device, _ = bench.meter(*arguments, name="meter0")
        daemon = bench.daemon(config([d0_meter(device, channel, url, pullseq=None, ackseq=None, baudrate=9600, interval=None)]))
        pid = daemon.process.pid
        time.sleep(3)
        for turn in range(1, options.replugs + 1):
            meter.stop()
            time.sleep(2)  # what was under way is delivered
            before, switched, cpu = time.monotonic(), switch_counts(pid), run_ns(pid)
            time.sleep(options.away)
            waits, forced = [b - a for a, b in zip(switched, switch_counts(pid))]
            cpu = (run_ns(pid) - cpu) / 1e6
            away = time.monotonic() - before
            told = daemon.text().count("established again")
            meter = Program([bench.bin / "vzmetersim", "--log", bench.folder / f"meter{turn}.jsonl", *arguments], bench.folder,
                            f"meter{turn}")
            bench.programs.append(meter)
            while not (bench.folder / "tty").is_symlink():
                time.sleep(0.001)
            back = time.time() * 1000
            while daemon.text().count("established again") == told and time.time() * 1000 < back + 20000:
                time.sleep(0.005)
            time.sleep(1)
            fresh = [ms for ms, _ in bench.stored(channel) if ms >= back - 400]
            if not fresh:
                say("  no reading within a second of the return")
                ok = False
                continue
            delays.append(fresh[0] - back)
            say(f"  away {away:.1f} s: {cpu:.2f} ms of CPU, {waits} waits + {forced} forced switches of all threads; "
                f"first reading stamped {delays[-1]:.0f} ms after the node was there")
        say(f"  log: {daemon.text().count('Trying again')} losses told, {daemon.text().count('established again')} returns")
    say(f"  worst {max(delays, default=-1):.0f} ms   [target: 2000 ms, no measurable CPU]")
    return ok and max(delays, default=2001) <= 2000


# ---- what a healthy daemon writes ----

WRITING = "write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,ftruncate,fallocate,fsync,fdatasync,rename,unlink"


def disk_bytes(pid):
    """write_bytes: what the process made the file systems write; wchar: what all its write calls took."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["write_bytes"]), int(fields["wchar"])


def healthy(options):
    """A push meter at 1 Hz, a middleware that accepts, an outbox that may write, no log file, strace on all threads."""
    say(f"healthy: {options.healthy_minutes:g} minutes, one telegram a second, what goes to disk")
    with Bench(options.bin) as bench:
        channel = str(uuids.uuid4())
        url = bench.middleware([channel])[1]
        _, device, log = bench.meter("--mode", "push", "--baud", 9600, "--period", 1, "--step", "1.8.0=0.001",
                                     "--pty", bench.folder / "tty", "--quiet")
        settings = json.loads(config([d0_meter(device, channel, url, pullseq=None, ackseq=None, baudrate=9600, interval=None)]))
        settings["outbox"] = {"path": str(bench.folder / "outbox.db")}
        path = bench.folder / "vzlogger.conf"
        path.write_text(json.dumps(settings))
        trace = bench.folder / "strace"
        traced = subprocess.Popen(["strace", "-f", "-t", "-y", "-qq", "-e", f"trace={WRITING}", "-o", str(trace),
                                   str(options.bin / "vzlogger"), "-f", "-c", str(path)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(3)
            pid = int(Path(f"/proc/{traced.pid}/task/{traced.pid}/children").read_text().split()[0])
            began, before = time.monotonic(), disk_bytes(pid)
            time.sleep(options.healthy_minutes * 60)
            minutes = (time.monotonic() - began) / 60
            after = disk_bytes(pid)
            os.kill(pid, signal.SIGTERM)
            said = traced.communicate(timeout=10)[1]
        finally:
            if traced.poll() is None:
                traced.kill()
        time.sleep(1)
        # "PID write(5<socket:[1]>, ...) = 12": what is neither socket, pipe, eventfd nor a device is a file
        calls, to_files = 0, []
        for line in trace.read_text(errors="replace").splitlines():
            calls += 1
            target = re.search(r"\(\d+<([^>]*)>|\(\"([^\"]*)\"", line)
            name = (target.group(1) or target.group(2) or "") if target else ""
            if target and not re.match(r"socket:|pipe:|anon_inode:|/dev/|TCP|UDP|UNIX", name):
                to_files.append(line)
        sent, stored = list(readouts(log)), bench.stored(channel)
        say(f"  {minutes:.1f} minutes, {len(sent)} telegrams, {len(stored)} stored: /proc/PID/io write_bytes "
            f"{after[0] - before[0]} (wchar {after[1] - before[1]}: sockets and wake-ups); strace: {calls} writing calls, "
            f"{len(to_files)} of them to files, from start to stop")
        for line in to_files[:10]:
            say("    " + line[:160])
        waiting = 0
        if (bench.folder / "outbox.db").exists():
            with sqlite3.connect(bench.folder / "outbox.db") as outbox:
                waiting = outbox.execute("SELECT sum(max(last - head, 0)) FROM queue").fetchone()[0]
        say(f"  outbox file at the end: {'made' if (bench.folder / 'outbox.db').exists() else 'none'}, {waiting} readings wait in it   "
            "[target: 0 bytes]")
        for line in said.splitlines():
            say("    said: " + line[:200])
        return after[0] == before[0] and not to_files


# ---- (f): instructions ----

def instructions(options):
    say("instructions: user instructions of a telegram of 256 bytes, from the read to the aggregated reading (callgrind)")
    counts = {}
    with Bench(options.bin) as bench:
        for n in (1000, 3000):
            out = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={bench.folder}/out",
                                  str(options.bin / "bench_d0_worker"), str(n)], capture_output=True, text=True, check=True)
            counts[n] = int(re.search(r"Collected : (\d+)", out.stderr).group(1))
    say(f"  {(counts[3000] - counts[1000]) / 2000:.0f} a telegram   [target: 7500; old daemon: 75 500]")
    return True


def run_program(options, name, *arguments):
    return subprocess.run([str(options.bin / name), *arguments], check=False).returncode == 0


def twofaults(options):
    say("twofaults: two damaged bits a readout, what gets through")
    return run_program(options, "bench_two_faults", str(options.telegrams), str(options.seed))


def stop(options):
    say("stop: from the signal to the end of the process")
    out = subprocess.run([str(options.bin / "test_e2e"), "--gtest_filter=Stop*", "--gtest_color=no"], check=False,
                         capture_output=True, text=True)
    for line in out.stdout.splitlines():
        if line.startswith(("stop:", "      ")):
            say("  " + line.removeprefix("stop:").strip())
    if out.returncode:
        say(out.stdout[-3000:])
    return out.returncode == 0


# ---- the local interface ----

class CometClients(threading.Thread):
    """Clients that wait for the next reading, and wait again once they have it; one thread for all of them."""

    def __init__(self, port, target, count):
        super().__init__(daemon=True)
        self.address, self.count, self.replies, self.bad, self.over = ("127.0.0.1", port), count, 0, 0, False
        self.request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self.selector = selectors.DefaultSelector()
        for _ in range(count):
            self.ask()

    def ask(self):
        client = socket.create_connection(self.address, 20)
        client.sendall(self.request)
        client.setblocking(False)
        self.selector.register(client, selectors.EVENT_READ, bytearray())

    def run(self):
        while not self.over:
            for key, _ in self.selector.select(0.2):
                data = key.fileobj.recv(65536)
                key.data.extend(data)
                if data:
                    continue
                self.selector.unregister(key.fileobj)
                key.fileobj.close()
                self.replies += 1
                self.bad += not key.data.startswith(b"HTTP/1.1 200 ")
                self.ask()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


def ask_at_pace(port, target, rate, seconds, times, bad):
    """One thread's part of the requests, each on a connection of its own."""
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    began = time.monotonic()
    for i in range(int(rate * seconds)):
        wait = began + i / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), 20) as client:
            client.sendall(request)
            reply = bytearray()
            while data := client.recv(65536):
                reply.extend(data)
        times.append(time.monotonic() - start)
        if not reply.startswith(b"HTTP/1.1 200 "):
            bad.append(bytes(reply[:100]))


def local(options):
    rate, threads, waiting = 2000, 4, 500
    say(f"local: {waiting} clients that wait with mode=comet and {rate} requests a second for {options.seconds:.0f} s, a reading "
        "a second, a minute of them in each reply")
    with Bench(options.bin) as bench:
        channel = str(uuids.uuid4())
        meter = {"enabled": True, "protocol": "random", "interval": 1,
                 "channels": [{"uuid": channel, "identifier": "x", "api": "null"}]}
        daemon = bench.daemon(json.dumps({"verbosity": 5, "local": {"enabled": True, "port": 0, "buffer": 60}, "meters": [meter]}))
        port = int(daemon.wait_for(r"HTTPd on port (\d+)").group(1))
        pid = daemon.process.pid
        time.sleep(3)
        before, cpu = resident_bytes(pid), cpu_seconds(pid)
        clients = CometClients(port, f"/{channel}?mode=comet", waiting)
        clients.start()
        time.sleep(2)
        with_waiting = resident_bytes(pid)
        times, bad, began = [], [], time.monotonic()
        askers = [threading.Thread(target=ask_at_pace, args=(port, f"/{channel}", rate / threads, options.seconds, times, bad))
                  for _ in range(threads)]
        for asker in askers:
            asker.start()
        peak = with_waiting
        while any(asker.is_alive() for asker in askers):
            peak = max(peak, resident_bytes(pid))
            time.sleep(0.1)
        took = time.monotonic() - began
        used = cpu_seconds(pid) - cpu
        clients.over = True
        clients.join()
        ended, status = daemon.stop()
        times.sort()
        say(f"  resident: {before / 1e6:.1f} MB idle, {with_waiting / 1e6:.1f} MB with {waiting} waiting, {peak / 1e6:.1f} MB at most: "
            f"{(peak - before) / 1e6:.1f} MB more   [target: 16]")
        say(f"  {len(times) / took:.0f} requests a second, {len(bad)} not answered with 200; reply after {times[len(times) // 2] * 1e3:.2f} ms "
            f"(median), {times[len(times) * 99 // 100] * 1e3:.1f} ms (99 %), {times[-1] * 1e3:.0f} ms (longest)")
        say(f"  {clients.replies} replies to those who waited, {clients.bad} not 200; {used / took * 100:.0f} % of a core; "
            f"ended in {ended:.3f} s with status {status}")
        return not bad and not clients.bad and status == 0


MEASUREMENTS = {"latency": latency, "instructions": instructions, "twofaults": twofaults, "switches": switches,
                "stop": stop, "crash": crash, "replug": replug, "healthy": healthy, "local": local, "faults": faults, "recovery": recovery, "realtime": realtime}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", metavar="MEASUREMENT", help=", ".join(MEASUREMENTS) + "; default: all")
    parser.add_argument("--bin", type=Path, default=TOP / "build/release/bin", help="where the programs are")
    parser.add_argument("--config", type=Path, default=TOP / "etc/examples/mt372.conf", help="the page's configuration")
    parser.add_argument("--minutes", type=float, default=10, help="of realtime")
    parser.add_argument("--count", type=int, default=20, help="readouts of latency")
    parser.add_argument("--readings", type=int, default=60, help="of recovery")
    parser.add_argument("--readouts", type=int, default=10000, help="damaged ones, of faults")
    parser.add_argument("--lines", type=int, default=50, help="meters at once, of faults")
    parser.add_argument("--line", choices=("tcp", "pty"), default="tcp", help="of faults")
    parser.add_argument("--kinds", default=ONE_FAULT, help="of faults")
    parser.add_argument("--seed", type=int, default=1, help="of faults, twofaults and crash")
    parser.add_argument("--limit", type=float, default=3000, help="seconds after which faults gives up")
    parser.add_argument("--keep-log", help="where to keep the daemon's log of faults")
    parser.add_argument("--seconds", type=float, default=60, help="of switches and local")
    parser.add_argument("--kills", type=int, default=200, help="of crash")
    parser.add_argument("--away", type=float, default=60, help="seconds, of replug")
    parser.add_argument("--replugs", type=int, default=3, help="of replug")
    parser.add_argument("--healthy-minutes", type=float, default=15, help="of healthy")
    parser.add_argument("--telegrams", type=int, default=5000000, help="of twofaults")
    options = parser.parse_args()
    unknown = [name for name in options.what if name not in MEASUREMENTS]
    if unknown:
        parser.error(f"unknown measurement {unknown[0]}; there are {', '.join(MEASUREMENTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = [name for name in options.what or MEASUREMENTS if not MEASUREMENTS[name](options)]
    if failed:
        say(f"NOT AS PROMISED: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
