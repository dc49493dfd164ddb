"""Fail when a test was skipped without saying why, or the real engine's or browser's tests did not appear at all."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

EMPTY = {"", "unconditional skip"}
MUST_APPEAR = [folder for folder in ("lab", "browser", "journeys") if any(Path("tests", folder).glob("test_*.py"))]


def main(report: str) -> int:
    try:
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314  our own file
    except (OSError, ET.ParseError) as error:
        print(f"no test report: {error}")
        return 1
    faults = []
    for case in cases:
        for skipped in case.iter("skipped"):
            reason = (skipped.get("message") or "").strip()
            if reason in EMPTY:
                faults.append(f"{case.get('classname')}.{case.get('name')} was skipped without a reason")
    seen = {".".join((case.get("classname") or "").split(".")[:2]) for case in cases}
    faults += [
        f"no test of tests/{name} ran or said why it could not" for name in MUST_APPEAR if f"tests.{name}" not in seen
    ]
    print("\n".join(faults) or f"{len(cases)} tests reported, every skip says why")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
