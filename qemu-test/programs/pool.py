#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: a pool of worker processes; its locks are semaphores in shared memory without a name, its queues pipes."""
import multiprocessing
import os
import sys


def say(text):
    os.write(1, (text + "\n").encode())


def work(number):
    total = number
    for step in range(3000):
        total = (total * 31 + step) % 1000003
    return total


def main():
    disturb = os.environ.get("CKPT_DISTURB") == "1"
    with multiprocessing.get_context("fork").Pool(3) as pool:
        rounds, total = 0, 0
        while rounds < 5 or not os.path.exists(os.environ["CKPT_GO"]):
            rounds += 1
            total += sum(pool.imap_unordered(work, range(rounds, rounds + 12)))
            say(f"round {rounds} total {total}")
            if rounds == 2:
                say("ready")
            if disturb and rounds == 4:
                total += 1
        pool.close()
        pool.join()
    want = sum(work(number) for first in range(1, rounds + 1) for number in range(first, first + 12))
    say("OK" if total == want else f"FAIL {total} instead of {want}")
    return int(total != want)


sys.exit(main())
