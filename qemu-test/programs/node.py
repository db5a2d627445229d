#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: an HTTP server of Node whose requests are worked on by threads of its own and by a child that it talks to over a channel, and
clients in processes of their own over a Unix socket. Every answer is what it has to be, and all are counted, once."""
import hashlib
import http.client
import json
import os
import subprocess
import time

import clients
from clients import is_over, say

PATH = "node.sock"
SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_server.js")
CLIENTS = 3
KINDS = ["thread", "child", "pool", "timer"]


class Connection(http.client.HTTPConnection):
    """Kept alive."""

    def __init__(self):
        super().__init__("here", timeout=None)

    def connect(self):
        self.sock = clients.connect(PATH)

    def ask(self, path, body=b""):
        self.request("POST", path, body)
        answer = self.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise ValueError(f"the answer is {answer.status}: {text}")
        return text.decode()


def client(number, _):
    connection, step = Connection(), 0
    while not is_over():
        body = b"%d/%d/" % (number, step) * (step * 37 % 2000)
        kind = KINDS[(number + step) % len(KINDS)]
        if connection.ask(f"/{kind}", body) != hashlib.sha256(body).hexdigest():
            raise ValueError(f"what the {kind} has made is wrong")
        step += 1
        if step % 20 == 0:
            connection.close()
    return (step,)


def main():
    server = subprocess.Popen(["node", SERVER, PATH], stdin=subprocess.DEVNULL)
    own = Connection()
    own.connect()
    children, reports = clients.start(CLIENTS, client)
    ready = False
    while not is_over():
        time.sleep(0.1)
        counts = json.loads(own.ask("/counts"))
        say(f"counts {counts}")
        if not ready and min(counts.values()) > 5:
            ready = True
            say("ready")
            if clients.disturbs():
                own.ask("/thread")
    if clients.failed(children):
        raise ValueError("a client has failed")
    wanted = sum(count for (count,) in clients.numbers(reports))
    counts = json.loads(own.ask("/counts"))
    if sum(counts.values()) != wanted:
        raise ValueError(f"it has counted {counts} instead of {wanted}")
    own.close()
    clients.end(server)


clients.run(main)
