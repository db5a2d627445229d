#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: two processes write to one SQLite database in WAL mode: a shared mapping of its index, and locks of fcntl(2) on it. Each
counts its own commits; no transaction may be lost, or done twice."""
import os
import sqlite3
import sys

import clients
from clients import is_over, say

PATH = "counters.db"


def connect():
    database = sqlite3.connect(PATH, timeout=120, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    return database


def work(who, tell):
    """Commits until it is to stop: how often."""
    database = connect()
    commits = 0
    while not is_over():
        database.execute("BEGIN IMMEDIATE")
        (seen,) = database.execute("SELECT n FROM counters WHERE who = ?", (who,)).fetchone()
        if seen != commits:
            say(f"FAIL {who} has committed {commits} times, but finds {seen}")
            sys.exit(1)
        database.execute("UPDATE counters SET n = n + 1 WHERE who = ?", (who,))
        database.execute("INSERT INTO log VALUES (?, ?, ?)", (who, seen, "x" * (seen * 37 % 900)))
        database.execute("COMMIT")
        commits += 1
        if tell and commits % 20 == 0:
            say(f"step {commits}")
    database.close()
    return commits


def main():
    database = connect()
    database.execute("CREATE TABLE counters (who TEXT PRIMARY KEY, n INTEGER)")
    database.execute("CREATE TABLE log (who TEXT, n INTEGER, filler TEXT)")
    database.execute("INSERT INTO counters VALUES ('parent', 0), ('child', 0)")
    database.close()

    (child,), reports = clients.start(1, lambda *_: (work("child", False),))
    say("ready")
    own = work("parent", True)
    ((others,),) = clients.numbers(reports)
    _, status = os.waitpid(child, 0)
    database = connect()
    counters = dict(database.execute("SELECT who, n FROM counters"))
    (logged,) = database.execute("SELECT count(*) FROM log").fetchone()
    (sound,) = database.execute("PRAGMA integrity_check").fetchone()
    if status or counters != {"parent": own, "child": others} or logged != own + others or sound != "ok":
        say(f"FAIL {own} and {others} commits, found {counters}, {logged} in the log, {sound}, status {status}")
        sys.exit(1)
    say("OK")


main()
