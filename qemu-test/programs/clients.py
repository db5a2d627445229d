# SPDX-License-Identifier: GPL-2.0
"""What real programs with clients in processes of their own have in common."""
import os
import signal
import socket
import sys
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
    """Processes that call `run(number, report)`, which gives numbers that are written to `report` at the end: their pids, and where those
    come."""
    pids, reports = [], []
    for number in range(count):
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.write(writer, (" ".join(map(str, run(number, writer))) + "\n").encode())
                os._exit(0)
            except Exception as error:
                say(f"FAIL {error!r}")
            os._exit(1)
        os.close(writer)
        pids.append(pid)
        reports.append(reader)
    return pids, reports


def numbers(reports):
    """What each has reported."""
    return [[int(word) for word in os.read(report, 100).split()] for report in reports]


def failed(pids):
    """Whether one of them has, when all have ended."""
    return any([os.waitpid(pid, 0)[1] for pid in pids])


def end(server, by=signal.SIGTERM, status=0):
    """Ends a server by a signal; it is to exit with that status."""
    server.send_signal(by)
    if server.wait() != status:
        raise ChildProcessError(f"{server.args[0]} has ended with {server.returncode}")


def run(main):
    """The whole program: it says OK at the end, or FAIL and why."""
    try:
        main()
        say("OK")
    except Exception as error:
        say(f"FAIL {error!r}")
        sys.exit(1)
