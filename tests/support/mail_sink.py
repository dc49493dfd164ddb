"""An SMTP server on this machine that keeps what it is given: enough of RFC 5321 for a client without TLS."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Sink:
    """``port`` listens on 127.0.0.1; ``mails`` are (sender, receivers, message) in the order of their coming."""

    port: int = 0
    mails: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    refuses: bool = False  # a server that takes no mail from us
    receivers: dict[str, str] = field(default_factory=dict)  # what it answers to one, "250" to all others
    after_data: str = "250 sink"  # what it answers to a mail that it has; "" nothing, until the client goes


@contextmanager
def mail_sink() -> Iterator[Sink]:
    sink = Sink()

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 sink")
            sender, receivers = "", []
            while line := self.rfile.readline():
                word, text = line[:4].upper(), line.decode().strip()
                if word == b"QUIT":
                    return self._say("221 bye")
                if word == b"MAIL":
                    sender, receivers = text.partition("<")[2].partition(">")[0], []
                    if sink.refuses:
                        self._say("550 not from you")
                        continue
                elif word == b"RCPT":
                    receiver = text.partition("<")[2].partition(">")[0]
                    if receiver in sink.receivers:
                        self._say(sink.receivers[receiver])
                        continue
                    receivers.append(receiver)
                elif word == b"DATA":
                    self._say("354 go on")
                    sink.mails.append((sender, receivers, self._message()))
                    if sink.after_data:
                        self._say(sink.after_data)
                    continue
                self._say("250 sink")
            return None

        def _message(self) -> EmailMessage:
            lines = iter(self.rfile.readline, b".\r\n")
            return message_from_bytes(b"".join(line.removeprefix(b".") for line in lines), policy=policy.default)  # type: ignore[return-value]

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        sink.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()


def link(sink: Sink) -> str:
    """The one link of the latest mail."""
    (found,) = re.findall(r"https?://\S+", sink.mails[-1][2].get_content())
    return str(found)
