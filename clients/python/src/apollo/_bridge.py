"""The program that apollo starts for a Python function.

It hands its standard input, output and error to the process that has the
function, over the socket APOLLO_BRIDGE, and ends with the one that took them.
It imports as little as it can, because it starts once for each worker.
"""

import json
import os
import resource
import signal
import socket


def main() -> int:
    """Hand over and wait."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(os.environ["APOLLO_BRIDGE"])
    about = json.dumps({"env": dict(os.environ), "data": resource.getrlimit(resource.RLIMIT_DATA)}).encode() + b"\n"
    socket.send_fds(link, [about[:1]], [0, 1, 2])
    link.sendall(about[1:])
    for fd in (0, 1, 2):
        os.close(fd)
    end = b""
    while part := link.recv(16):
        end += part
    if end.startswith(b"done"):
        return 0
    code = int(end.removeprefix(b"ended ") or 1)
    if code < 0:  # a signal
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code or 1


if __name__ == "__main__":
    os._exit(main())
