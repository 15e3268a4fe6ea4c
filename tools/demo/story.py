"""The story: a VPC, a DmsNetwork, what it makes, three breakages that it mends, one that it explains, and the end."""

import datetime
import re
import time
from collections.abc import Callable
from typing import Any

from parts import Failed, Parts, wait
from show import Page, short

NAMESPACE = "orders-team"
NETWORK = f"/apis/dmsnet.dev/v1alpha1/namespaces/{NAMESPACE}/dmsnetworks/orders"
EVENTS = f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
# How long each thing may take; with resyncInterval 10s a breakage is mended after 12 s at the latest on an idle machine.
READY, MENDED, TOLD, DELETED = 30, 20, 20, 40


class Story:
    def __init__(self, page: Page, parts: Parts, keep: bool) -> None:
        self.page, self.parts, self.keep = page, parts, keep
        self.names: dict[str, str] = {}

    def tell(self) -> None:
        self.start()
        self.the_vpc()
        self.before = self.parts.state()
        self.apply()
        self.created()
        self.rule_removed()
        self.foreign_rule()
        self.group_swapped()
        self.path_blocked()
        self.delete()
        if self.keep:
            self.leave_running()

    # ------------------------------------------------------------------ chapters

    def start(self) -> None:
        page, parts = self.page, self.parts
        page.title("dmsnet: the network that an AWS DMS migration needs, kept")
        since = time.monotonic()
        parts.prepare()
        parts.start_aws()
        parts.start_api_server()
        parts.wait_ready()
        self.topology = parts.emulator("topology", {"account": "111122223333", "region": "us-west-2"})
        parts.kubectl("apply", "--server-side", "-k", str(parts.root / "deploy/kustomize"))
        for kind in ("dmsnetworks", "dmsnetworkclasses"):
            # Served at last: `kubectl wait` fails on a definition that has no conditions yet.
            path = f"/apis/dmsnet.dev/v1alpha1/{kind}"
            wait(f"the API server serves {kind}", READY, lambda: parts.api.serves(path) or None)
        parts.start_controller()
        version = parts.api.get("/version")["gitVersion"]
        page.line(f"A real kube-apiserver {version} with etcd, an emulator of AWS and the controller run after {time.monotonic() - since:.1f} s.")
        page.line("dmsnet was installed by `kubectl apply -k deploy/kustomize` and runs with the rights of its ServiceAccount.")
        page.line("IDs are shown by their last four characters.")

    def the_vpc(self) -> None:
        page, t = self.page, self.topology
        groups = t["securityGroupIds"]
        self.names |= {groups["replication"]: "dms-replication", groups["source"]: "orders-source", groups["target"]: "orders-target"}
        page.title("1. AWS before: everything is there but the openings")
        page.table([
            ["in " + t["vpcId"] + " " + t["cidr"], "address", "security group", "its rules"],
            ["DMS replication instance " + t["instance"]["id"], t["instance"]["privateIps"][0], f"dms-replication {groups['replication']}", "none"],
            ["source: " + t["endpoints"]["source"]["engine"], f"port {t['endpoints']['source']['port']}", f"orders-source   {groups['source']}", "none"],
            ["target: RDS " + t["rds"]["engine"] + " " + t["rds"]["id"], f"port {t['rds']['port']}", f"orders-target   {groups['target']}", "none"],
        ])
        page.line("  A connection test of DMS would end in a timeout: no group lets anything out or in.")

    def apply(self) -> None:
        page, parts, t = self.page, self.parts, self.topology
        folder = parts.root / "examples/same-vpc"
        group = f"    securityGroupId: {t['securityGroupIds']['source']}    # the group that lets the replication in\n"
        subnets = f"    subnetIds: [{', '.join(t['databaseSubnetIds'])}]  # its name resolves in private only: where it lives\n"
        network = (folder / "network.yaml").read_text()
        network = re.sub(r" +securityGroupId: sg-0b1b2c3d.*\n", group + subnets, network)
        shown = (folder / "class.yaml").read_text().replace("vpc-0a1b2c3d", t["vpcId"]).replace("resyncInterval: 60s", "resyncInterval: 10s")
        klass = shown.replace("  region: us-west-2\n", f"  region: us-west-2\n  endpointUrl: {parts.aws_url}  # the emulator\n")
        page.title("2. The platform team opens an account and Region; a team says what its migration must reach")
        page.code(klass)
        page.line()
        page.code(network)
        page.line()
        namespace = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}, labels: {{dms: 'yes'}}}}\n---\n"
        page.command("kubectl apply -f class.yaml -f network.yaml")
        parts.kubectl("apply", "-f", "-", text=namespace + klass + "\n---\n" + network)
        self.manifest = network
        self.follow_until_ready(time.time())

    def follow_until_ready(self, since: float) -> None:
        seen: dict[str, tuple[str, str]] = {}

        def look() -> bool | None:
            network = self.parts.api.get(NETWORK)
            conditions = (network or {}).get("status", {}).get("conditions", [])
            for c in conditions:
                now = (c["status"], c["reason"])
                if seen.get(c["type"]) != now and c["type"] != "Reconciling":
                    seen[c["type"]] = now
                    head = f"+{time.time() - since:4.1f} s {c['type']}"
                    self.page.fact(head, f"{c['status']}, {c['reason']}: {c['message']}", good(c))
            ready = seen.get("Ready", ("", ""))[0] == "True"
            return True if ready else None

        wait("Ready", READY, look, 0.05)
        wait("every path proved open", READY, lambda: look() and self.paths("True"), 0.05)

    def paths(self, status: str) -> Any | None:
        """The condition PathsOpen, if that is its status."""
        conditions = self.network().get("status", {}).get("conditions", [])
        return next((c for c in conditions if (c["type"], c["status"]) == ("PathsOpen", status)), None)

    def created(self) -> None:
        page, t = self.page, self.topology
        status = self.network()["status"]
        endpoint_group = next(e["id"] for e in status["owned"] if e["kind"] == "SecurityGroup")
        self.endpoint = status["vpcEndpoints"][0]["id"]
        self.names[endpoint_group] = "endpoint (made by dmsnet)"
        self.endpoint_group = endpoint_group
        self.groups = [*t["securityGroupIds"].values(), endpoint_group]
        page.title("3. What AWS holds now: 4 groups, 6 rules, 1 endpoint in 2 subnets")
        # Every group has AWS's own rule "out to anywhere" from its creation.
        rules = [r for r in self.rules() if any(t["Key"] == "dmsnet.dev/managed-by" for t in r["Tags"])]
        rows = [["rule", "group", "direction", "port", "from or to"]]
        for rule in rules:
            peer = rule.get("CidrIpv4") or self.named(rule.get("ReferencedGroupInfo", {}).get("GroupId", ""))
            rows.append([rule["SecurityGroupRuleId"], self.named(rule["GroupId"]), "out to" if rule["IsEgress"] else "in from", str(rule["FromPort"]), peer])
        page.table(rows)
        endpoint = self.describe_endpoint()
        page.line(f"    endpoint {short_list([self.endpoint])} for {endpoint['ServiceName']}: {endpoint['State']}, in subnets {short_list(endpoint['SubnetIds'])}")
        page.line(f"    its URL for AWS clients: {short_list([status['vpcEndpoints'][0]['url']])}")
        page.command("kubectl get dmsnet -n orders-team")
        page.code(self.parts.kubectl("get", "dmsnet", "-n", NAMESPACE).rstrip())
        counted = (len(self.groups), len(rules), len(endpoint["SubnetIds"]), status["summary"]["rules"], status["summary"]["endpoints"], status["summary"]["paths"])
        if counted != (4, 6, 2, "6/6", "1/1", "2/2"):
            raise Failed(f"4 groups, 6 rules, an endpoint in 2 subnets, 6/6, 1/1 and 2/2 were expected, not {counted}")

    def rule_removed(self) -> None:
        source = self.topology["securityGroupIds"]["source"]
        rule = next(r for r in self.rules() if r["GroupId"] == source)
        self.page.title("4. Somebody removes the rule that lets the replication into the source")
        self.page.command(f"aws ec2 revoke-security-group-ingress --group-id {source} --security-group-rule-ids {rule['SecurityGroupRuleId']}")
        broken = self.now()
        self.parts.ec2.revoke_security_group_ingress(GroupId=source, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])

        def mended() -> str | None:
            again = [r for r in self.rules() if r["GroupId"] == source]
            return f"the rule is there again, as {again[0]['SecurityGroupRuleId']}" if again else None

        self.mending("RuleMissing", broken, mended)

    def foreign_rule(self) -> None:
        target = self.topology["securityGroupIds"]["target"]
        self.page.title("5. Somebody opens the target's port to a whole network (foreignRules: Revoke)")
        self.page.command(f"aws ec2 authorize-security-group-ingress --group-id {target} --protocol tcp --port 3306 --cidr 10.9.0.0/16")
        broken = self.now()
        permission = {"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
        self.parts.ec2.authorize_security_group_ingress(GroupId=target, IpPermissions=[permission])

        def mended() -> str | None:
            return None if any(r.get("CidrIpv4") == "10.9.0.0/16" for r in self.rules()) else "the rule is gone; ours are untouched"

        self.mending("ForeignRule", broken, mended)

    def group_swapped(self) -> None:
        other = self.topology["defaultSecurityGroupId"]
        self.page.title("6. Somebody swaps the endpoint's security group for the VPC's default group")
        self.page.command(
            f"aws ec2 modify-vpc-endpoint --vpc-endpoint-id {self.endpoint} --add-security-group-ids {other}"
            f" --remove-security-group-ids {self.endpoint_group}"
        )
        broken = self.now()
        self.parts.ec2.modify_vpc_endpoint(VpcEndpointId=self.endpoint, AddSecurityGroupIds=[other], RemoveSecurityGroupIds=[self.endpoint_group])

        def mended() -> str | None:
            groups = [g["GroupId"] for g in self.describe_endpoint()["Groups"]]
            return f"the endpoint has {', '.join(groups)} again" if groups == [self.endpoint_group] else None

        self.mending("EndpointGroups", broken, mended)

    def path_blocked(self) -> None:
        """Network ACLs are not ours to change here (networkAcls: Check): the proof names the hop and the fix."""
        page, acl = self.page, self.topology["networkAclId"]
        page.title("7. Somebody denies the source's port in the network ACL, which dmsnet may only look at (networkAcls: Check)")
        page.command(
            f"aws ec2 create-network-acl-entry --network-acl-id {acl} --ingress --rule-number 1 --protocol tcp"
            " --port-range From=5432,To=5432 --cidr-block 0.0.0.0/0 --rule-action deny"
        )
        broken = self.now()
        entry = {"NetworkAclId": acl, "RuleNumber": 1, "Egress": False}
        self.parts.ec2.create_network_acl_entry(**entry, Protocol="6", PortRange={"From": 5432, "To": 5432}, CidrBlock="0.0.0.0/0", RuleAction="deny")
        self.look_now()
        blocked = wait("PathsOpen False", TOLD, lambda: self.paths("False"), 0.05)
        page.fact(f"+{self.now() - broken:4.1f} s PathsOpen", f"{blocked['status']}, {blocked['reason']}: {blocked['message']}", False)
        hop = next(d for d in self.network()["status"]["databases"] if d["name"] == "source")["blockedBy"][0]
        self.event("PathBlocked", broken)
        if hop["resource"] != acl or not hop.get("commands"):
            raise Failed(f"the finding should name {acl} and a command, not {hop}")
        page.line("  The fix, as status.databases gives it:")
        page.command(hop["commands"][0])
        if not all(part in hop["commands"][0] for part in ("delete-network-acl-entry", acl, "--rule-number 1")):
            raise Failed(f"the fix should delete entry 1 of {acl}, not: {hop['commands'][0]}")
        mended = self.now()
        self.parts.ec2.delete_network_acl_entry(**entry)
        self.look_now()
        wait("PathsOpen True", TOLD, lambda: self.paths("True"), 0.05)
        opened = self.event("PathOpened", mended)
        page.fact(f"+{self.now() - mended:4.1f} s PathsOpen", f"True; Event {opened['type']} {opened['reason']}: {opened['note']}", True)

    def look_now(self) -> None:
        """What is only looked at is read at a tenth of the pace; asked, dmsnet reads it at once."""
        asked = f"dmsnet.dev/reconcile-requested-at={datetime.datetime.now(datetime.UTC).isoformat()}"
        self.page.command("kubectl annotate dmsnet orders -n orders-team --overwrite dmsnet.dev/reconcile-requested-at=$(date -Is)")
        self.parts.kubectl("annotate", "dmsnet", "orders", "-n", NAMESPACE, "--overwrite", asked)

    def event(self, reason: str, since: float) -> Any:
        def look() -> Any | None:
            events = self.parts.api.get(EVENTS)["items"]
            return next((e for e in events if e["reason"] == reason and instant(e["eventTime"]) >= since - 1), None)

        return wait(f"the Event {reason}", TOLD, look)

    def delete(self) -> None:
        page, parts = self.page, self.parts
        page.title("8. The migration is over")
        page.command("kubectl delete dmsnet orders -n orders-team")
        since = time.monotonic()
        parts.kubectl("delete", "dmsnet", "orders", "-n", NAMESPACE, "--wait=false")
        last = ""

        def gone() -> bool | None:
            nonlocal last
            network = parts.api.get(NETWORK)
            if network is None:
                return True
            ready = next((c for c in network["status"]["conditions"] if c["type"] == "Ready"), None)
            if ready and ready["reason"] == "Deleting" and ready["message"] != last:
                last = ready["message"]
                page.fact(f"+{time.monotonic() - since:4.1f} s Ready", f"{ready['status']}, {ready['reason']}: {last}", False)
            return None

        wait("the end of the network", DELETED, gone)
        page.fact(f"+{time.monotonic() - since:4.1f} s", "the network is gone, its finalizer last", True)
        after = parts.state()
        if after != self.before:
            raise Failed(f"AWS is not as before: {difference(self.before, after)}")
        kinds = {"securityGroups": "security groups", "vpcEndpoints": "VPC endpoints", "networkInterfaces": "network interfaces", "routeTables": "route tables", "networkAcls": "network ACLs"}
        compared = ", ".join(f"{len(after[key])} {name}" for key, name in kinds.items())
        page.fact("AWS", f"as before, compared whole, tags and rules too: {compared}", True)
        page.line()

    def leave_running(self) -> None:
        page, parts = self.page, self.parts
        parts.kubectl("apply", "-f", "-", text=self.manifest)
        wait("Ready", READY, lambda: True if self.condition("Ready") == "True" else None)
        page.title("It is all left running, with the network there again. In a terminal (the AWS CLI is not part of this; any will do):")
        keys = {"AWS_ACCESS_KEY_ID": "SOMEBODY111122223333", "AWS_SECRET_ACCESS_KEY": "not-a-secret", "AWS_DEFAULT_REGION": "us-west-2"}
        exports = {"KUBECONFIG": str(parts.kubeconfig), **keys, "AWS_ENDPOINT_URL": parts.aws_url}
        for name, value in exports.items():
            page.line(f"  export {name}={value}")
        page.line(f"  alias dmsnet={parts.dmsnet}")
        if parts.kubectl_program.startswith(str(parts.tools)):
            page.line(f"  alias kubectl={parts.kubectl_program}")
        page.line("\n  kubectl get dmsnet,dnc -A -o wide")
        page.line("  kubectl describe dmsnet orders -n orders-team")
        page.line("  kubectl explain dmsnetwork.spec.databases")
        page.line(f"  aws ec2 describe-security-group-rules --filters Name=group-id,Values={self.topology['securityGroupIds']['source']} --output table")
        page.line(f"  curl http://{parts.http_addr}/metrics")
        page.line(f"  tail -f {parts.log('dmsnet')}")
        page.line("\nStop it:  make demo-stop\n")

    # -------------------------------------------------------------------- looking

    def mending(self, kind: str, broken: float, mended: Callable[[], str | None]) -> None:
        """Waits for the repair in AWS, the record in status and both Events; prints what each says."""
        page = self.page
        said = wait(f"the repair ({kind})", MENDED, mended, 0.05)
        seconds = time.time() - broken

        def recorded() -> Any | None:
            for record in self.network()["status"].get("drift", []):
                if record["kind"] == kind and instant(record["detectedAt"]) >= broken - 1 and "correctedAt" in record:
                    return record
            return None

        record = wait(f"status.drift with {kind}", MENDED, recorded)

        def noted() -> list[Any] | None:
            events = [e for e in self.parts.api.get(EVENTS)["items"] if record["resource"] in e.get("note", "") and instant(e["eventTime"]) >= broken - 1]
            found = [next((e for e in events if e["reason"] == reason), None) for reason in ("DriftFound", "DriftCorrected")]
            return None if None in found else found

        found, corrected = wait(f"the Events about {kind}", MENDED, noted)
        page.fact(f"+{instant(record['detectedAt']) - broken:4.1f} s status.drift", f"{record['kind']}: wanted {record['wanted']}; found {record['found']}", False)
        page.fact("         Event", f"{found['type']} {found['reason']}, then {corrected['type']} {corrected['reason']}: {corrected['note']}")
        page.fact(f"+{seconds:4.1f} s AWS", said, True)
        wait("Synced and no open drift", MENDED, lambda: True if (self.condition("Synced"), self.condition("DriftDetected")) == ("True", "False") else None)

    def network(self) -> Any:
        network = self.parts.api.get(NETWORK)
        if network is None:
            raise Failed("the network is gone")
        return network

    def condition(self, kind: str) -> str:
        conditions = self.network().get("status", {}).get("conditions", [])
        return next((c["status"] for c in conditions if c["type"] == kind), "")

    def rules(self) -> list[Any]:
        found = self.parts.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": self.groups}])["SecurityGroupRules"]
        return sorted(found, key=lambda r: (self.groups.index(r["GroupId"]), r["IsEgress"], r["FromPort"], r.get("CidrIpv4", "")))

    def describe_endpoint(self) -> Any:
        return self.parts.ec2.describe_vpc_endpoints(VpcEndpointIds=[self.endpoint])["VpcEndpoints"][0]

    def named(self, group: str) -> str:
        return self.names.get(group, group)

    @staticmethod
    def now() -> float:
        return time.time()


def good(condition: Any) -> bool:
    return (condition["status"] == "True") != (condition["type"] in ("DriftDetected", "Stalled"))


def instant(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def short_list(texts: list[str]) -> str:
    return ", ".join(short(text) for text in texts)


def difference(before: Any, after: Any) -> str:
    """Which objects came, went or changed."""
    found = []
    for kind in before:
        if not isinstance(before[kind], dict):
            continue
        for key in sorted({*before[kind], *after[kind]}):
            if before[kind].get(key) != after[kind].get(key):
                found.append(f"{kind} {key}: {before[kind].get(key)} -> {after[kind].get(key)}")
    return "; ".join(found)
