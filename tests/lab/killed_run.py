"""A test run with a lab and an internet that says where they are and goes on until it is killed."""

import json
import time

from tests.lab.conftest import IMAGE, open_internet, open_lab
from vmart.engines.contract import ImageStatus

with open_lab() as lab, open_internet() as internet:
    while lab.engine().ensure_image(IMAGE).status is not ImageStatus.READY:
        time.sleep(0.1)
    print(json.dumps({"lab": str(lab.daemon.data_dir), "namespace": internet.namespace}), flush=True)
    time.sleep(3600)
