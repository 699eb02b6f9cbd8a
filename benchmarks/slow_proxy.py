"""A proxy on the loopback interface that adds a delay to each request, in a process of its own.

``python -m benchmarks.slow_proxy PORT TARGET`` passes what comes to PORT on to TARGET; the number
of seconds by which it does so later is read from standard input, a line whenever it changes.
"""

import asyncio
import sys
import threading
from contextlib import suppress

PIECE_BYTES = 2**18

delay_seconds = 0.0


async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, late: bool) -> None:
    """Pass on what comes, each piece as late as the delay says, and none waiting for another."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        while piece := await source.read(PIECE_BYTES):
            if late and delay_seconds:
                loop.call_later(delay_seconds, sink.write, piece)
            else:
                sink.write(piece)
                await sink.drain()
    await asyncio.sleep(delay_seconds)
    sink.close()


async def serve(port: int, target: int) -> None:
    """Serve until the process is ended."""

    async def connect(near: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        far, request = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pass_on(near, request, late=True), pass_on(far, answer, late=False))

    async with await asyncio.start_server(connect, "127.0.0.1", port) as server:
        print("ready", flush=True)
        await server.serve_forever()


def listen() -> None:
    """Read the delays that are asked for."""
    global delay_seconds
    for line in sys.stdin:
        delay_seconds = float(line)
        print("set", flush=True)


if __name__ == "__main__":
    threading.Thread(target=listen, daemon=True).start()
    asyncio.run(serve(*map(int, sys.argv[1:3])))
