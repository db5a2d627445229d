#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: redis-server, which persists what it is told, and clients in processes of their own over a Unix socket. What it has
acknowledged is there at the end, and again in a new server that reads the files."""
import os
import subprocess
import time

import clients
from clients import is_over, say

PATH = "redis.sock"
CLIENTS = 3


class Connection:
    """The protocol of redis, as far as it is used here."""

    def __init__(self):
        self.socket = clients.connect(PATH)
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        text = b"*%d\r\n" % len(words)
        for word in words:
            word = str(word).encode()
            text += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(text)

    def answer(self):
        line = self.file.readline().rstrip()
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise ValueError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        if not line:
            raise EOFError
        return rest

    def ask(self, *words):
        self.send(*words)
        return self.answer()

    def when_ready(self):
        while True:
            try:
                self.ask("PING")
                return self
            except ValueError:
                # It still reads its files.
                time.sleep(0.1)

    def close(self):
        self.file.close()
        self.socket.close()


def server():
    words = ["redis-server", "--port", "0", "--unixsocket", os.path.abspath(PATH), "--dir", ".", "--appendonly", "yes"]
    words += ["--appendfsync", "everysec", "--save", "3 10", "--daemonize", "no", "--loglevel", "warning"]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)


def client(number):
    connection, sent, rounds = Connection().when_ready(), 0, 0
    while not is_over():
        rounds += 1
        # Many requests at once, whose answers wait in the socket.
        for step in range(20):
            connection.send("INCRBY", f"client:{number}", step)
            connection.send("RPUSH", f"list:{number}", "v" * (rounds % 300))
        for step in range(20):
            sent += step
            got = connection.answer()
            if got != sent:
                raise ValueError(f"client {number} has {got} instead of {sent}")
            if connection.answer() != (rounds - 1) * 20 + step + 1:
                raise ValueError("a list has lost its length")
        if rounds % 10 == 0:
            connection.close()
            connection = Connection()
    return sent, rounds * 20


def check(connection, wanted):
    for number, (total, length) in enumerate(wanted):
        got = int(connection.ask("GET", f"client:{number}")), connection.ask("LLEN", f"list:{number}")
        if got != (total, length):
            raise ValueError(f"client {number} has {got} instead of {total} and {length}")


def main():
    redis = server()
    own = Connection().when_ready()

    def run(number, _):
        own.close()
        return client(number)

    children, reports = clients.start(CLIENTS, run)
    shown = 0
    while not is_over():
        time.sleep(0.1)
        shown += 1
        say(f"keys {own.ask('DBSIZE')} {own.ask('GET', 'client:0')}")
        if shown == 15:
            own.ask("BGREWRITEAOF")
        if shown == 20:
            say("ready")
        if clients.disturbs() and shown == 22:
            own.ask("INCR", "client:1")
    if clients.failed(children):
        raise ValueError("a client has failed")
    wanted = clients.numbers(reports)
    check(own, wanted)
    own.send("SHUTDOWN")
    if redis.wait(120):
        raise ChildProcessError(f"redis has ended with {redis.returncode}")
    own.close()
    # Once more, from its files.
    redis = server()
    own = Connection().when_ready()
    check(own, wanted)
    clients.end(redis)


clients.run(main)
