"""The command ``vmart``. Exit codes: 0 done; 1 looked, and something is not well; 2 wrong use; 3 not possible now.

The commands are in ``commands/``, a file a subject.
"""

from pathlib import Path

import click

from vmart import __version__
from vmart.config.commands import (
    attention,
    catalog,
    catalog_price,
    clock,
    customer,
    database,
    operators,
    order,
    own_shop,
    payment,
    placement,
    running,
    spot,
)
from vmart.config.commands.frame import FOLDER, Vmart


@click.group(cls=Vmart, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="vmart %(version)s")
@click.option(
    "--data-dir", type=FOLDER,
    help="Where the deployment keeps its things (default: $VMART_DATA_DIR, else /var/lib/vmart as root, else ./var).",
)  # fmt: skip
def main(data_dir: Path | None) -> None:
    """Sell cloud virtual machines on your own hosts."""


for _command in (
    running.up, running.down, running.status, running.doctor, attention.attention, own_shop.today, clock.clock,
    operators.operator, catalog.catalog, own_shop.own_shop, customer.customer, order.order, payment.payment,
    database.reconcile, database.backup_command, database.restore_command, database.migrate, placement.placement,
    spot.spot, running.web, running.console, running.worker,
):  # fmt: skip
    main.add_command(_command)
catalog.catalog.add_command(catalog_price.price)

if __name__ == "__main__":
    main(prog_name="vmart")
