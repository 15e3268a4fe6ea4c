"""Loads every module that registers operations."""

from importlib import import_module

MODULES = (
    "ec2.security_groups", "ec2.rule_writes", "ec2.rule_reads", "ec2.network_interfaces", "ec2.endpoint_services", "ec2.vpc_endpoints",
    "ec2.vpc_endpoint_writes", "ec2.networks", "ec2.block_public_access", "ec2.network_acls", "ec2.routes", "ec2.gateways", "ec2.gateway_reads",
    "ec2.peering", "tags",
    "dms.subnet_groups", "dms.instances", "dms.endpoints", "dms.connections", "dms.serverless", "dms.tasks", "dms.tags",
    "sts",
)


def load() -> None:
    for name in MODULES:
        import_module(f".{name}", __package__)
