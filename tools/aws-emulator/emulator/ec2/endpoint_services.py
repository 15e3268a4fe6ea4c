"""The services that a VPC endpoint can be made for, and their names in DNS."""

import hashlib
from dataclasses import dataclass
from typing import Any

from .. import filters, paging
from ..errors import AwsError
from ..registry import Call, operation

# Both kinds of endpoint; the Gateway kind is found in moto's AWS-managed prefix lists by the service's name.
GATEWAY = ("s3", "dynamodb")
# Service: the name in front of `.<region>.amazonaws.com`, where it is another one.
INTERFACE = {
    name: name for name in (
        "athena", "autoscaling", "cloudformation", "cloudtrail", "codebuild", "config", "dms", "dms-fips", "dynamodb", "ebs", "ec2",
        "ec2messages", "ecs", "elasticfilesystem", "elasticloadbalancing", "events", "execute-api", "glue", "kafka", "kms",
        "lambda", "logs", "monitoring", "rds", "rds-data", "redshift", "redshift-data", "s3", "secretsmanager", "servicequotas",
        "sns", "sqs", "ssm", "ssmmessages", "states", "sts", "timestream.ingest", "transfer", "xray",
    )
} | {"kinesis-streams": "kinesis", "kinesis-firehose": "firehose", "ecr.api": "api.ecr", "ecr.dkr": "*.dkr.ecr"}
FIPS_REGIONS = ("us-east-1", "us-east-2", "us-west-1", "us-west-2")


@dataclass
class Service:
    name: str            # com.amazonaws.us-west-2.dms
    short: str           # dms
    kind: str            # Interface | Gateway
    private_dns: str | None
    region: str

    @property
    def id(self) -> str:
        return "vpce-svc-" + hashlib.sha256(f"{self.name}/{self.kind}".encode()).hexdigest()[:17]


def services(region: str) -> list[Service]:
    found = []
    for short, host in INTERFACE.items():
        if short.endswith("-fips") and region not in FIPS_REGIONS:
            continue
        found.append(Service(f"com.amazonaws.{region}.{short}", short, "Interface", f"{host}.{region}.amazonaws.com", region))
    for short in GATEWAY:
        found.append(Service(f"com.amazonaws.{region}.{short}", short, "Gateway", None, region))
    return sorted(found, key=lambda service: (service.name, service.kind))


def get_service(region: str, name: str, kind: str) -> Service:
    named = [service for service in services(region) if service.name == name]
    if not named:
        raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
    for service in named:
        if service.kind == kind:
            return service
    raise AwsError("InvalidParameter", f"Endpoint type ({kind}) does not match available service types ([{named[0].kind}]).")


def prefix_list_of(backend: Any, service_name: str) -> Any:
    for listed in backend.managed_prefix_lists.values():
        if listed.prefix_list_name == service_name:
            return listed
    raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{service_name}' has no prefix list")


@operation("ec2", "DescribeVpcEndpointServices")
def describe_services(call: Call) -> dict[str, Any]:
    chosen = services(call.region)
    if wanted := call.get("ServiceNames"):
        for name in wanted:
            if not any(service.name == name for service in chosen):
                raise AwsError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")
        chosen = [service for service in chosen if service.name in wanted]
    getters = {"service-name": lambda s: s.name, "service-type": lambda s: s.kind, "owner": lambda s: "amazon",
               "supported-ip-address-types": lambda s: "ipv4", "service-region": lambda s: s.region}
    chosen = filters.apply(call, chosen, getters, lambda service: {})
    chosen, more = paging.page(call, chosen, lambda service: service.id, 1, 1000)
    zones = call.ec2.describe_availability_zones()
    return {"ServiceNames": list(dict.fromkeys(s.name for s in chosen)), "ServiceDetails": [shown(s, zones) for s in chosen], **more}


def shown(service: Service, zones: list[Any]) -> dict[str, Any]:
    interface = service.kind == "Interface"
    names = {"PrivateDnsName": service.private_dns, "PrivateDnsNames": [{"PrivateDnsName": service.private_dns}],
             "PrivateDnsNameVerificationState": "verified"} if interface else {}
    base = f"{service.short}.{service.region}.vpce.amazonaws.com" if interface else f"{service.short}.{service.region}.amazonaws.com"
    return {
        "ServiceName": service.name, "ServiceId": service.id, "ServiceType": [{"ServiceType": service.kind}],
        "ServiceRegion": service.region, "AvailabilityZones": [zone.name for zone in zones], "Owner": "amazon",
        "BaseEndpointDnsNames": [base], "VpcEndpointPolicySupported": True, "AcceptanceRequired": False,
        "ManagesVpcEndpoints": False, "SupportedIpAddressTypes": ["ipv4", "ipv6"] if interface else ["ipv4"], "Tags": [], **names,
    }
