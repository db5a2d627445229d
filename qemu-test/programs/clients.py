# SPDX-License-Identifier: GPL-2.0
"""What real programs with clients in processes of their own have in common."""
import os
import socket
import time


def say(text):
    os.write(1, (text + "\n").encode())


def is_over():
    """Whether the case wants them to end."""
    return os.path.exists(os.environ["CKPT_GO"])


def disturbs():
    """Whether the program is to damage what it holds, so that it has to fail."""
    return os.environ.get("CKPT_DISTURB") == "1"


def connect(path, patience=120):
    """A connection to a server that may have to get ready."""
    end = time.monotonic() + patience
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def start(count, run):
    """Processes that `run(number, report)`, which does not return and writes one line to `report`: their pids, and where the lines come."""
    pids, reports = [], []
    for number in range(count):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            run(number, writer)
        os.close(writer)
        pids.append(pid)
        reports.append(reader)
    return pids, reports


def numbers(reports):
    """What each has reported."""
    return [[int(word) for word in os.read(report, 100).split()] for report in reports]
