#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: a server of Java, one of whose threads waits by an epoll for the work of others, and clients in processes of their own over a
Unix socket. Each connection adds up what it is sent; clients check every answer, and connect anew after some."""
import os
import signal
import subprocess
import time

import clients
from clients import is_over, say

PATH = "java.sock"
PROGRAMS = os.path.dirname(os.path.abspath(__file__))
# Quick to start on a slow machine: no big heap, no optimising compiler.
OPTIONS = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx64m", "-Xss512k"]
SIGNALED = 128
CLIENTS = 3
CONNECTIONS = 2


class Connection:
    def __init__(self):
        self.socket = clients.connect(PATH)
        self.file = self.socket.makefile("rb")
        self.total = 0

    def send(self, value):
        self.socket.sendall(b"%d\n" % value)

    def check(self, value):
        """The answer to what it has been sent: the sum, and as many bytes as that says."""
        self.total += value
        answer, filler = self.file.readline().rstrip(b"\n").split(b" ")
        if int(answer) != self.total or len(filler) != self.total % 5000:
            raise ValueError(f"{answer} with {len(filler)} bytes instead of {self.total}")

    def all(self):
        """What all connections have been sent."""
        self.send(0)
        return int(self.file.readline())

    def close(self):
        self.file.close()
        self.socket.close()


def client(number, _):
    given, step = 0, 0
    while not is_over():
        connections = [Connection() for _ in range(CONNECTIONS)]
        for _ in range(20):
            step += 1
            value = number * 1000 + step
            # All at once, so that answers wait in the sockets.
            for connection in connections:
                connection.send(value)
                given += value
            for connection in connections:
                connection.check(value)
        for connection in connections:
            connection.close()
    return (given,)


def main():
    server = subprocess.Popen(["java", *OPTIONS, "-cp", PROGRAMS, "Serve", PATH], stdin=subprocess.DEVNULL)
    own = Connection()
    children, reports = clients.start(CLIENTS, client)
    shown = 0
    while not is_over():
        time.sleep(0.1)
        shown += 1
        say(f"total {own.all()}")
        if shown == 10:
            say("ready")
        if clients.disturbs() and shown == 12:
            own.send(1)
            own.check(1)
    if clients.failed(children):
        raise ValueError("a client has failed")
    given = sum(total for (total,) in clients.numbers(reports))
    if own.all() != given:
        raise ValueError(f"it has {own.all()} instead of {given}")
    own.close()
    clients.end(server, status=SIGNALED + signal.SIGTERM)


clients.run(main)
