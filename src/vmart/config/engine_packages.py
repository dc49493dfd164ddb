"""A step of bin/setup: install the private engine's packages; exit code 1 where this machine cannot have them."""

import sys

from vmart.engines.incus.packages import InstallError, install_packages


def main() -> int:
    try:
        install_packages(lambda text: print(f"  {text}", file=sys.stderr, flush=True))
    except InstallError as error:
        print(f"  {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
