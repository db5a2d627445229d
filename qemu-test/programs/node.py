#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: an HTTP server of Node whose requests are worked on by threads of its own and by a child that it talks to over a channel, and
clients in processes of their own over a Unix socket. Every answer is what it has to be, and all are counted, once."""
import ctypes
import errno
import hashlib
import http.client
import json
import os
import struct
import subprocess
import time

import clients
from clients import is_over, say

PATH = "node.sock"
SERVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_server.js")
CLIENTS = 3
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
KINDS = ["thread", "child", "pool", "timer"]


def deny_io_uring():
    """As container runtimes do. An io_uring cannot be saved, and libuv makes one for each of its epolls, whatever UV_USE_IO_URING says, but
    does without where there is none."""
    libc = ctypes.CDLL(None, use_errno=True)
    # The number of the system call: io_uring_setup fails with ENOSYS, all others are allowed.
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x50000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


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
    server = subprocess.Popen(["node", SERVER, PATH], stdin=subprocess.DEVNULL, preexec_fn=deny_io_uring)
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
