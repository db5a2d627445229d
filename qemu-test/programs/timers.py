#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Real program: what does things at times, as cron and service managers do. An epoll waits for periodic timerfds, of which none may run ahead of
the clock or stop; a process of its own starts a program at every full quarter of a second, never too early, and each once."""
import os
import select
import subprocess
import sys
import time

import clients
from clients import is_over, say

PERIOD = 0.03
# Both go on: then they expire before this.
PATIENCE = 30
QUARTER = 0.25
# A time since 1970 as a floating-point number is not exact.
EXACT = 0.001


class Timer:
    """A periodic one."""

    def __init__(self, period):
        self.period, self.count, self.fd = period, 0, os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK)
        self.start = time.monotonic()
        os.timerfd_settime(self.fd, initial=period, interval=period)

    def take(self):
        try:
            self.count += int.from_bytes(os.read(self.fd, 8), sys.byteorder)
        except BlockingIOError:
            pass
        elapsed = time.monotonic() - self.start
        if self.count * self.period > elapsed + EXACT:
            raise ValueError(f"a timer of {self.period} s has expired {self.count} times in {elapsed} s")


def cron(*_):
    """Starts a program for each number."""
    count, fd = 0, os.timerfd_create(time.CLOCK_REALTIME)
    while not is_over():
        due = (time.time() // QUARTER + 1) * QUARTER
        os.timerfd_settime(fd, flags=os.TFD_TIMER_ABSTIME, initial=due)
        expired = int.from_bytes(os.read(fd, 8), sys.byteorder)
        if expired != 1 or time.time() < due - EXACT:
            raise ValueError(f"{expired} times at {time.time()} instead of {due}")
        count += 1
        subprocess.run(["sh", "-c", f"echo {count} >>jobs"], check=True)
    return (count,)


def main():
    (child,), reports = clients.start(1, cron)
    timers = [Timer(PERIOD), Timer(PERIOD * 3)]
    poll = select.epoll()
    for timer in timers:
        poll.register(timer.fd, select.EPOLLIN)
    shown = 0
    while not is_over():
        poll.poll()
        for timer in timers:
            timer.take()
        if clients.disturbs() and shown == 25:
            timers[1].count += 1000000
        say(f"expired {[timer.count for timer in timers]}")
        shown += 1
        if shown == 20:
            say("ready")
    for timer in timers:
        if not select.select([timer.fd], [], [], PATIENCE)[0]:
            raise ValueError(f"a timer of {timer.period} s has stopped")
        timer.take()
        if not select.select([timer.fd], [], [], PATIENCE)[0]:
            raise ValueError(f"a timer of {timer.period} s does not go on")
    _, status = os.waitpid(child, 0)
    ((count,),) = clients.numbers(reports)
    with open("jobs") as file:
        done = [int(line) for line in file]
    if status or done != list(range(1, count + 1)):
        raise ValueError(f"the jobs are {done} instead of {count}")


clients.run(main)
