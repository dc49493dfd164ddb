"""Log in by SSH and print what the command says: ``ssh_login.py IP password|key SECRET_FILE COMMAND``."""

import sys
import time
from pathlib import Path

import paramiko


def main() -> None:
    ip, how, secret_file, command = sys.argv[1:]
    secret = Path(secret_file).read_text()
    ends = time.monotonic() + 100  # a first boot on a busy machine
    while True:
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        login = {"password": secret} if how == "password" else {"key_filename": secret_file}
        try:
            client.connect(ip, username="root", timeout=5, allow_agent=False, look_for_keys=False, **login)
            break
        except paramiko.AuthenticationException:
            print("refused")
            return
        except (OSError, paramiko.SSHException):
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
        finally:
            if client.get_transport() is None:
                client.close()
    _, output, _ = client.exec_command(command)
    print(output.read().decode().strip())
    client.close()


main()
