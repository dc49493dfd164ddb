"""Take one TCP connection on PORT, read it to its end, print bytes and seconds from the first to the last."""

import socket
import sys
import time


def main() -> None:
    with socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        server.settimeout(60)
        print("listening", flush=True)
        connection, _ = server.accept()
        with connection:
            total, began = 0, time.monotonic()
            while piece := connection.recv(1 << 16):
                total += len(piece)
            print(total, time.monotonic() - began)


main()
