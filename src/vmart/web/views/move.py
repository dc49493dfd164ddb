"""A machine moved to another private network of its owner's: told first what changes and what does not."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.instances.models import Instance
from vmart.kernel.errors import MissingParameter
from vmart.listings import networks
from vmart.listings.networks import WantedSubnets
from vmart.listings.views import SubnetView
from vmart.network.models import Subnet
from vmart.orders.move import move
from vmart.orders.own_network import NetworkWanted
from vmart.web.acting import done_to, machine_of
from vmart.web.forms import OtherNetwork
from vmart.web.offer import SUBNETS_SHOWN
from vmart.web.visitor import actor, customer


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def network_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Subnet and private address; what is wrong with them is said beside them, all else on the machine's page."""
    machine = machine_of(account_id, public_id)
    offered = _offered(machine)
    form = OtherNetwork(offered, request.POST if request.method == "POST" else None)
    who, said = actor(request, account_id), _("The machine is being moved.")
    gone_on = done_to(request, machine, form, lambda: move(who, [public_id], _asked(form)), said)
    return gone_on or _page(request, machine, form)


def _offered(machine: Instance) -> list[SubnetView]:
    """Its owner's subnets in its zone, its own among them: there it can have another address."""
    return list(networks.subnets(machine.account_id, WantedSubnets(zones=[machine.zone_id]), limit=SUBNETS_SHOWN)[1])


def _asked(form: OtherNetwork) -> NetworkWanted:
    subnet, address = form.cleaned_data["subnet"], form.cleaned_data["private_ip"].strip()
    if not subnet:
        raise MissingParameter("Choose a subnet.", field="network.subnet_id")
    return NetworkWanted(subnet_id=subnet, private_ips=(address,) if address else ())


def _page(request: HttpRequest, machine: Instance, form: OtherNetwork) -> HttpResponse:
    here = {
        "machine": machine,
        "form": form,
        "subnet": Subnet.objects.select_related("vpc").get(id=machine.subnet_id),
        "is_on": machine.state == "RUNNING",
    }
    return render(request, "web/machines/network.html", here, status=422 if form.is_bound else 200)
