#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: memcached, whose threads wait for each other's events, and clients in processes of their own over a Unix socket. Counters
that all clients increase are exact, and what one has stored is what it gets."""
import os
import subprocess
import time

import clients
from clients import is_over, say

PATH = "memcached.sock"
CLIENTS = 3
SLOTS = 50


class Connection:
    """The protocol of memcached, as far as it is used here."""

    def __init__(self):
        self.socket = clients.connect(PATH)
        self.file = self.socket.makefile("rb")

    def send(self, *lines):
        self.socket.sendall(b"".join(line + b"\r\n" for line in lines))

    def line(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        return line.rstrip()

    def values(self):
        """What a get gives: a value for each key, and its version if that was asked for."""
        found = {}
        while (words := self.line().split()) != [b"END"]:
            size = int(words[3])
            found[words[1]] = self.file.read(size + 2)[:-2], *words[4:]
        return found

    def expect(self, wanted):
        if (got := self.line()) != wanted:
            raise ValueError(f"it says {got} instead of {wanted}")

    def number(self, key):
        self.send(b"get " + key)
        return int(self.values()[key][0])

    def close(self):
        self.file.close()
        self.socket.close()


def value(number, rounds, slot):
    return b"%d/%d/" % (number, rounds) * (slot * 7 + 1)


def turn(connection, number, rounds):
    """Many requests at once, whose answers wait in the socket."""
    for slot in range(SLOTS):
        stored = value(number, rounds, slot)
        connection.send(b"incr common 1", b"incr own:%d 3" % number)
        connection.send(b"set slot:%d:%d 0 0 %d" % (number, slot, len(stored)), stored)
    for slot in range(SLOTS):
        connection.line()
        connection.expect(b"%d" % (3 * (rounds * SLOTS + slot + 1)))
        connection.expect(b"STORED")
    keys = [b"slot:%d:%d" % (number, slot) for slot in range(SLOTS)]
    connection.send(b"get " + b" ".join(keys))
    if connection.values() != {key: (value(number, rounds, slot),) for slot, key in enumerate(keys)}:
        raise ValueError("what it gives is not what it was given")
    # A value that only the one who has seen the last one may change.
    while True:
        connection.send(b"gets turns")
        turns, version = connection.values()[b"turns"]
        turns = b"%d" % (int(turns) + 1)
        connection.send(b"cas turns 0 0 %d %s" % (len(turns), version), turns)
        if connection.line() == b"STORED":
            break


def client(number):
    connection, rounds = Connection(), 0
    while not is_over():
        turn(connection, number, rounds)
        rounds += 1
        if rounds % 5 == 0:
            connection.close()
            connection = Connection()
    return (rounds,)


def main():
    words = ["memcached", "-s", os.path.abspath(PATH), "-a", "0777", "-t", "3", "-m", "16", "-u", "nobody", "-c", "64"]
    server = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    own = Connection()
    for key in ["common", "turns", *(f"own:{number}" for number in range(CLIENTS))]:
        own.send(b"set %s 0 0 1" % key.encode(), b"0")
        own.expect(b"STORED")
    # It has to be told of the time by a timer: what is stored for a second is gone then.
    own.send(b"set soon 0 1 1", b"0")
    own.expect(b"STORED")

    def run(number, _):
        own.close()
        return client(number)

    children, reports = clients.start(CLIENTS, run)
    shown = 0
    while not is_over():
        time.sleep(0.1)
        shown += 1
        say(f"increased {own.number(b'common')} times")
        if shown == 10:
            say("ready")
        if clients.disturbs() and shown == 12:
            own.send(b"incr common 1")
            own.line()
    if clients.failed(children):
        raise ValueError("a client has failed")
    rounds = [count for (count,) in clients.numbers(reports)]
    wanted = [sum(rounds) * SLOTS, sum(rounds), *(count * SLOTS * 3 for count in rounds)]
    found = [own.number(key.encode()) for key in ["common", "turns", *(f"own:{number}" for number in range(CLIENTS))]]
    if found != wanted:
        raise ValueError(f"the counters are {found} instead of {wanted}")
    own.send(b"set late 0 1 1", b"0")
    own.expect(b"STORED")
    own.send(b"get soon")
    if own.values():
        raise ValueError("what was stored for a second is still there")
    while True:
        own.send(b"get late")
        if not own.values():
            break
        time.sleep(0.1)
    own.close()
    clients.end(server)


clients.run(main)
