"""The contract on a real Incus."""

from tests.engines.contract_suite import ContractSuite


class TestIncus(ContractSuite):
    pass
