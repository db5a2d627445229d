#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: nginx with two workers, which serve files and are each other's clients behind a proxy, and clients in processes of their own
over a Unix socket. Every answer is complete, and every request is in the log and in the server's counters, once."""
import os
import signal
import subprocess
import time

import clients
from clients import is_over, say

CLIENTS = 3
SIZE = 2000000
SETTINGS = """
daemon off;
worker_processes 2;
pid pid;
error_log error.log;
user nobody nogroup;
events { worker_connections 64; accept_mutex on; }
http {
    access_log off;
    log_format numbered '$arg_client $arg_number $status $body_bytes_sent';
    keepalive_requests 100000;
    sendfile on;
    # Answers that the client is slow to take become files without a name.
    proxy_temp_path temporary;
    proxy_buffers 4 4k;
    upstream back { server unix:back.sock; keepalive 4; }
    server {
        listen unix:front.sock;
        root files;
        location / { access_log requests.log numbered; }
        location /back/ {
            access_log requests.log numbered;
            proxy_pass http://back/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
        location /status { stub_status; }
    }
    server { listen unix:back.sock; root files; }
}
"""


def content(start, size):
    """What the file has at a place."""
    pattern = b"%07d\n"
    first = start // 8
    text = b"".join(pattern % number for number in range(first, (start + size) // 8 + 1))
    return text[start - first * 8 :][:size]


class Connection:
    """HTTP/1.1, as far as it is used here."""

    def __init__(self):
        self.socket = clients.connect("front.sock")
        self.file = self.socket.makefile("rb")

    def send(self, path, first=None, last=None):
        ranged = b"" if first is None else b"Range: bytes=%d-%d\r\n" % (first, last)
        self.socket.sendall(b"GET %s HTTP/1.1\r\nHost: here\r\n%s\r\n" % (path.encode(), ranged))

    def answer(self, pause=0.0):
        """The body, which it takes slowly."""
        status = self.file.readline()
        size = None
        while line := self.file.readline().rstrip():
            name, value = line.split(b": ", 1)
            if name == b"Content-Length":
                size = int(value)
        if size is None or status.split(b" ")[1] not in (b"200", b"206"):
            raise ValueError(f"the answer is {status}")
        body = b""
        while len(body) < size:
            part = self.file.read(min(size - len(body), 50000))
            if not part:
                raise EOFError
            body += part
            time.sleep(pause)
        return body

    def close(self):
        self.file.close()
        self.socket.close()


def client(number, _):
    connection, direct, proxied = Connection(), 0, 0
    whole = content(0, SIZE)
    while not is_over():
        # Many requests at once.
        wanted = []
        for step in range(10):
            first = (direct + proxied) * 7919 % (SIZE - 3000)
            last = first + step * 290
            place = "" if step % 2 else "/back"
            direct, proxied = direct + step % 2, proxied + 1 - step % 2
            connection.send(f"{place}/data?client={number}&number={direct + proxied}", first, last)
            wanted.append((first, last))
        for first, last in wanted:
            if connection.answer() != whole[first : last + 1]:
                raise ValueError(f"a part of {last + 1 - first} bytes at {first} is wrong")
        place = "" if number % 2 else "/back"
        direct, proxied = direct + number % 2, proxied + 1 - number % 2
        connection.send(f"{place}/data?client={number}&number={direct + proxied}")
        if connection.answer(0.01) != whole:
            raise ValueError("the whole is wrong")
        if direct // 20 % 3 == 0:
            connection.close()
            connection = Connection()
    return direct, proxied


def counters(connection):
    """How many connections it has accepted and handled, and how many requests that were."""
    connection.send("/status")
    return [int(word) for word in connection.answer().split(b"\n")[2].split()]


def check(own, asked, reported):
    """What the server has counted is what it has been asked."""
    # A request to a proxy is two.
    wanted = asked + sum(direct + 2 * proxied for direct, proxied in reported)
    accepted, handled, requests = counters(own)
    if accepted != handled or requests != wanted:
        raise ValueError(f"{requests} requests instead of {wanted}, {handled} connections of {accepted}")


def check_log(reported):
    with open("requests.log") as file:
        lines = [line.split()[:2] for line in file]
    found = sorted((int(number), int(step)) for number, step in lines)
    if found != [(number, step) for number, counts in enumerate(reported) for step in range(1, sum(counts) + 1)]:
        raise ValueError(f"the log has {len(found)} requests, not each of {reported}")
    with open("error.log") as file:
        # It warns of answers that become files.
        complaints = [line for line in file if "[notice]" not in line and "[warn]" not in line]
    if complaints:
        raise ValueError(f"it complains: {complaints}")


def workers(master):
    with open(f"/proc/{master.pid}/task/{master.pid}/children") as file:
        return set(file.read().split())


def renew(master):
    """All workers are replaced."""
    before = workers(master)
    master.send_signal(signal.SIGHUP)
    while workers(master) & before or len(workers(master)) != 2:
        time.sleep(0.1)


def main():
    os.mkdir("files")
    with open("files/data", "wb") as file:
        file.write(content(0, SIZE))
    with open("nginx.conf", "w") as file:
        file.write(SETTINGS)
    master = subprocess.Popen(["nginx", "-p", os.getcwd(), "-c", "nginx.conf"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    own, asked = Connection(), 0
    children, reports = clients.start(CLIENTS, client)
    while not is_over():
        time.sleep(0.1)
        asked += 1
        accepted, _, requests = counters(own)
        say(f"requests {requests} of {accepted}")
        if asked == 10:
            say("ready")
        if clients.disturbs() and asked == 12:
            Connection().send("/data")
    if clients.failed(children):
        raise ValueError("a client has failed")
    reported = clients.numbers(reports)
    check(own, asked + 1, reported)
    own.close()
    renew(master)
    own = Connection()
    check(own, asked + 2, reported)
    own.close()
    clients.end(master, signal.SIGQUIT)
    check_log(reported)


clients.run(main)
