#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: a PostgreSQL server under pgbench, and sessions of psql that look at it. What has been committed is there, once, and again
after a crash of the server."""
import glob
import os
import re
import shutil
import signal
import subprocess
import time

import clients
from clients import is_over, say

BIN = max(glob.glob("/usr/lib/postgresql/*/bin"))
# The package has made it; a copy is quicker than initdb.
CLUSTER = max(glob.glob("/var/lib/postgresql/*/main"))
HERE = os.getcwd()
DATABASE = ["-h", HERE, "-d", "postgres"]
# Parallel workers come for each query, with a segment of dynamic shared memory; the autovacuum launcher starts workers, too.
SETTINGS = f"""
listen_addresses = ''
unix_socket_directories = '{HERE}'
max_connections = 20
shared_buffers = 16MB
dynamic_shared_memory_type = posix
autovacuum_naptime = 1s
jit = off
parallel_setup_cost = 0
parallel_tuple_cost = 0
min_parallel_table_scan_size = 0
"""
# One statement, so one snapshot.
SUMS = """SELECT (SELECT count(*) FROM pgbench_history), (SELECT coalesce(sum(delta), 0) FROM pgbench_history),
    (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(bbalance) FROM pgbench_branches)"""
ROUND = ["-n", "-c", "4", "-j", "2", "-t", "20"]
TRANSACTIONS = 4 * 20


def tool(name, *words):
    return [f"{BIN}/{name}", *words]


class Session:
    """psql, which is given a statement at a time."""

    def __init__(self):
        self.process = subprocess.Popen(
            tool("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *DATABASE), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, statement):
        """The numbers of its first row."""
        self.process.stdin.write(f"{statement};\n\\echo .\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) != ".\n":
            if not line:
                raise EOFError(f"psql has ended with {self.process.wait()}")
            lines.append(line)
        return [int(word) for word in lines[0].split("|")] if lines else []

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def start():
    with open("log", "a") as log:
        server = subprocess.Popen(tool("postgres", "-D", "data"), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    while subprocess.call(tool("pg_isready", "-q", *DATABASE)):
        if server.poll() is not None:
            raise ChildProcessError(f"the server has ended with {server.returncode}")
        time.sleep(0.1)
    return server


def prepare():
    shutil.copytree(CLUSTER, "data")
    for name, text in ("postgresql.conf", SETTINGS), ("pg_hba.conf", "local all all trust\n"), ("pg_ident.conf", ""):
        with open(f"data/{name}", "w") as file:
            file.write(text)
    server = start()
    subprocess.check_call(tool("pgbench", "-i", "-q", *DATABASE), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return server


def judge(bench):
    """Nothing that a round has asked for has failed."""
    text = bench.stdout.read()
    if bench.returncode or f"processed: {TRANSACTIONS}/{TRANSACTIONS}\n" not in text or "failed transactions: 0 " not in text:
        raise ValueError(f"pgbench has ended with {bench.returncode}: {text}")


def look(session):
    """How many transactions there are: all of each, or nothing."""
    count, *sums = session.ask(SUMS)
    if len(set(sums)) != 1:
        raise ValueError(f"after {count} transactions the sums are {sums}")
    return count


def load():
    """Rounds of pgbench until it is over: how many transactions that are."""
    own, still = Session(), Session()
    still.ask("BEGIN ISOLATION LEVEL REPEATABLE READ")
    seen = still.ask(SUMS)
    shown, ready, done, bench = 0, False, 0, None
    while bench or not is_over():
        if bench is None:
            bench = subprocess.Popen(tool("pgbench", *ROUND, *DATABASE), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        elif bench.poll() is not None:
            judge(bench)
            done, bench = done + TRANSACTIONS, None
        count = look(own)
        if not done <= count <= done + TRANSACTIONS * bool(bench):
            raise ValueError(f"there are {count} transactions after {done}")
        say(f"transactions {count}")
        shown += 1
        if not ready and count and shown > 2:
            ready = True
            say("ready")
        if clients.disturbs() and shown == 5:
            own.ask("UPDATE pgbench_branches SET bbalance = bbalance + 1")
    # A transaction that began before all of them sees none of them.
    if still.ask(SUMS) != seen:
        raise ValueError("a snapshot has changed")
    if own.close() or still.close():
        raise ValueError("psql has failed")
    return done


def crash(server):
    """Ends it so that it has to recover from its log."""
    with open("log") as log:
        # What pgbench does first may be in the way of autovacuum, which gives way.
        complaints = [line for line in log if re.search("ERROR: +(?!canceling autovacuum)|PANIC: |terminated by", line)]
    if complaints:
        raise ValueError(f"the server complains: {complaints}")
    server.send_signal(signal.SIGQUIT)
    server.wait()


def main():
    server = prepare()
    done = load()
    crash(server)
    server = start()
    session = Session()
    found = look(session)
    session.close()
    clients.end(server, signal.SIGINT)
    if found != done:
        raise ValueError(f"{found} transactions instead of {done}")


clients.run(main)
