"""What fits on a host: pure. ``fn.placement_claim`` says the same in SQL."""


def fits(free_vcpu: int, free_memory_mib: int, free_disk_gib: int, *, vcpu: int, memory_mib: int, disk_gib: int) -> int:
    """Machines of this size that fit into a host's free room; 0 also where the room is overdrawn."""
    return max(0, min(free_vcpu // vcpu, free_memory_mib // memory_mib, free_disk_gib // max(1, disk_gib)))
