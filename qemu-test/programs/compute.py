#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: Python computing in threads, with a generator, big integers, a dict and a queue that are kept."""
import os
import queue
import sys
import threading
import time


def say(text):
    os.write(1, (text + "\n").encode())


def go_given():
    return os.path.exists(os.environ["CKPT_GO"])


def fibonacci():
    a, b = 0, 1
    while True:
        yield a
        a, b = b, a + b


def worker(tasks, results):
    while True:
        n = tasks.get()
        if n is None:
            return
        results.put((n, sum(i * i for i in range(n % 500))))
        time.sleep(0.001)


def main():
    disturb = os.environ.get("CKPT_DISTURB") == "1"
    tasks, results, seen = queue.Queue(), queue.Queue(), {}
    threads = [threading.Thread(target=worker, args=(tasks, results)) for _ in range(3)]
    for thread in threads:
        thread.start()
    numbers = fibonacci()
    rounds = 0
    value = 0
    while rounds < 10 or not go_given():
        rounds += 1
        value = next(numbers)
        for i in range(6):
            tasks.put(rounds * 6 + i)
        for _ in range(6):
            n, result = results.get()
            seen[n] = result
        say(f"round {rounds} fibonacci {value % 1000000007}")
        if rounds == 2:
            say("ready")
        if disturb and rounds == 4:
            next(numbers)
    for _ in threads:
        tasks.put(None)
    for thread in threads:
        thread.join()
    again = fibonacci()
    for _ in range(rounds):
        want = next(again)
    wrong = [n for n in seen if seen[n] != sum(i * i for i in range(n % 500))]
    if value != want or wrong or len(seen) != rounds * 6:
        say(f"FAIL fibonacci {value == want}, {len(wrong)} wrong sums, {len(seen)} of {rounds * 6} sums")
        return 1
    say("OK")
    return 0


sys.exit(main())
