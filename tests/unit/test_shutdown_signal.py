import subprocess
import sys

from shoal.worker.runtime.shutdown_signal import ShutdownSignal

FORK = """
import os
from shoal.worker.runtime.shutdown_signal import ShutdownSignal
sign, (told, tell) = ShutdownSignal(), os.pipe()
if not os.fork():
    os.read(told, 1)
    print(sign.is_due())
else:
    sign.send(grace_seconds=0)
    os.write(tell, b".")
    os.wait()
"""


def test_no_sign_is_due_before_it_is_given_nor_within_its_grace() -> None:
    sign = ShutdownSignal()
    assert not sign.is_due()
    sign.send(grace_seconds=60)
    assert not sign.is_due()
    sign.send(grace_seconds=0)
    assert sign.is_due()


def test_a_sign_is_seen_by_processes_that_were_forked_before_it_was_given() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
