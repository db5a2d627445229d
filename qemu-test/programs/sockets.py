#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: an asyncio server and clients in processes of their own, over a Unix socket. Each connection adds up what it is sent;
clients check every answer, and connect anew after some."""
import asyncio
import os
import sys

import clients
from clients import is_over, say

PATH = "server"
CLIENTS = 3
CONNECTIONS = 4


async def serve(reader, writer, totals):
    total = 0
    # A client that has closed its side gets no answer any more.
    while line := await reader.readline():
        total += int(line)
        totals["all"] += int(line)
        # More than one write, and more than fits into a packet of its own.
        writer.write(b"%d " % total)
        await asyncio.sleep(0)
        writer.write(b"x" * (total % 5000) + b"\n")
        await writer.drain()
    writer.close()


async def ask(number, given):
    step = 0
    while not is_over():
        reader, writer = await asyncio.open_unix_connection(PATH)
        total = 0
        for _ in range(25):
            step += 1
            value = number * 1000 + step
            writer.write(b"%d\n" % value)
            total += value
            given["all"] += value
            answer, filler = (await reader.readline()).split(b" ")
            if int(answer) != total or len(filler) != total % 5000 + 1:
                raise ValueError(f"{answer} with {len(filler)} bytes instead of {total}")
        given["rounds"] += 1
        writer.close()
        await writer.wait_closed()


def client(number):
    given = {"all": 0, "rounds": 0}

    async def run():
        await asyncio.gather(*(ask(number * CONNECTIONS + n, given) for n in range(CONNECTIONS)))

    asyncio.run(run())
    return (given["all"],)


async def main():
    totals = {"all": 0}
    server = await asyncio.start_unix_server(lambda r, w: serve(r, w, totals), PATH, backlog=100)

    def run(number, report):
        # The loop of the parent is not the child's; its epoll is shared with it.
        asyncio.events._set_running_loop(None)
        os.closerange(3, report)
        return client(number)

    children, reports = clients.start(CLIENTS, run)
    shown = 0
    while not is_over():
        await asyncio.sleep(0.05)
        shown += 1
        say(f"total {totals['all']}")
        if shown == 10:
            say("ready")
        if clients.disturbs() and shown == 12:
            totals["all"] += 1
    status = 0
    for pid in children:
        while True:
            done, code = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            await asyncio.sleep(0.05)
        status |= code
    server.close()
    given = sum(total for (total,) in clients.numbers(reports))
    if status == 0 and given == totals["all"]:
        say("OK")
        return 0
    say(f"FAIL {totals['all']} instead of {given}, status {status}")
    return 1


sys.exit(asyncio.run(main()))
