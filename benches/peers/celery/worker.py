"""One stage as a process: python worker.py hold|capture|ticket"""

import os
import signal
import sys
import threading

from billiard import active_children
from celery.signals import worker_shutting_down

from broker import app

# Two cores: rendering may use both, the other stages wait for the disk more than they compute.
PROCESSES = {"hold": 1, "capture": 1, "ticket": 2}
STOP_SECS_MAX = 3


@worker_shutting_down.connect
def end_in_time(**_) -> None:
    """Celery's warm shutdown sometimes waits half a minute for its own child processes."""
    timer = threading.Timer(STOP_SECS_MAX, give_up)
    timer.daemon = True
    timer.start()


def give_up() -> None:
    """What is not acknowledged is delivered again."""
    for child in active_children():
        os.kill(child.pid, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    stage = sys.argv[1]
    app.worker_main(
        [
            "worker",
            f"--hostname={stage}@%h",
            f"--queues={stage}",
            f"--concurrency={PROCESSES[stage]}",
            "--loglevel=WARNING",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )
