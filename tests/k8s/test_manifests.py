"""The Kubernetes files as they would be applied: valid for every supported version, and fitting together."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import jsonschema
import kubernetes_validate
import yaml

from write_rules import TARGET, written

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
K8S = ROOT / "conf/k8s"
# The oldest one that pauses before a stop without a shell in the image, and what came since.
VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
OWN_SCHEMAS = {"HTTPRoute", "PodMonitor", "PrometheusRule"}
FLUSH_SECONDS = 15
SECRETS = "/run/secrets/airiskguard"


def built(folder: pathlib.Path) -> list[dict]:
    """What `kubectl apply --kustomize` would send."""
    command = [os.environ.get("KUBECTL", "kubectl"), "kustomize", str(folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(text))


def with_siem() -> list[dict]:
    """The fleet with the component that no overlay has."""
    with tempfile.TemporaryDirectory(dir=K8S) as folder:
        text = yaml.safe_dump({"resources": ["../fleet"], "components": ["../components/siem"], "namespace": "airiskguard"})
        pathlib.Path(folder, "kustomization.yaml").write_text(text)
        return built(pathlib.Path(folder))


BUILT = {"single": built(K8S / "single"), "fleet": built(K8S / "fleet"), "fleet with SIEM": with_siem()}


def seconds(text: str) -> int:
    """Of a duration in gateway.yaml."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def bytes_of(text: str) -> int:
    """Of a size in either notation."""
    number, unit = re.fullmatch(r"(\d+)([KMG]i)B?", text).groups()
    return int(number) << {"Ki": 10, "Mi": 20, "Gi": 30}[unit]


def for_every_overlay(check):
    """A test that is given the documents of each overlay in turn."""

    def run(self) -> None:
        for name, documents in BUILT.items():
            with self.subTest(overlay=name):
                check(self, documents)

    run.__doc__ = check.__doc__
    return run


class Manifests(unittest.TestCase):
    """What holds for every overlay, and what for one."""

    def setUp(self) -> None:
        self.schemas = yaml.safe_load((ROOT / "tests/k8s/schemas.yaml").read_text())

    @staticmethod
    def one(documents: list[dict], kind: str, name: str = "airiskguard-gateway") -> dict:
        """The one document of this kind and name."""
        found = [it for it in documents if it["kind"] == kind and it["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} documents are {kind} {name}"
        return found[0]

    def pod(self, documents: list[dict]) -> dict:
        """What is run."""
        return self.one(documents, "StatefulSet")["spec"]["template"]

    def container(self, documents: list[dict]) -> dict:
        """The one container."""
        (container,) = self.pod(documents)["spec"]["containers"]
        return container

    def configuration(self, documents: list[dict]) -> str:
        """gateway.yaml, as the container will find it."""
        (name,) = [it["configMap"]["name"] for it in self.pod(documents)["spec"]["volumes"] if "configMap" in it]
        return self.one(documents, "ConfigMap", name)["data"]["gateway.yaml"]

    @for_every_overlay
    def test_kinds_of_kubernetes_are_valid_in_every_version(self, documents: list[dict]) -> None:
        """Strictly: a field that a version does not know is an error."""
        for document in documents:
            if document["kind"] in OWN_SCHEMAS:
                continue
            for version in VERSIONS:
                kubernetes_validate.validate(document, version, strict=True)

    def test_other_kinds_are_valid(self) -> None:
        """By the schemas beside this file."""
        kinds = set()
        for documents in BUILT.values():
            for document in documents:
                if document["kind"] in OWN_SCHEMAS:
                    kinds.add(document["kind"])
                    jsonschema.Draft202012Validator(self.schemas[document["kind"]]).validate(document)
        self.assertEqual(kinds, OWN_SCHEMAS)

    def test_a_mistake_would_be_noticed(self) -> None:
        """The validators are not blind."""
        documents = BUILT["fleet"]
        service = yaml.safe_load(yaml.safe_dump(self.one(documents, "Service")))
        service["spec"]["selektor"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(service, VERSIONS[-1], strict=True)
        route = yaml.safe_load(yaml.safe_dump(self.one(documents, "HTTPRoute")))
        route["spec"]["rules"][0]["timeouts"]["request"] = "0"
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(self.schemas["HTTPRoute"]).validate(route)

    @for_every_overlay
    def test_everything_is_in_the_namespace(self, documents: list[dict]) -> None:
        """Nothing lands where the user happens to be."""
        (namespace,) = [it["metadata"]["name"] for it in documents if it["kind"] == "Namespace"]
        for document in documents:
            if document["kind"] != "Namespace":
                self.assertEqual(document["metadata"]["namespace"], namespace, document["kind"])

    @for_every_overlay
    def test_every_selector_finds_the_pods(self, documents: list[dict]) -> None:
        """Services, budget, monitor, policy, spread and the set itself."""
        labels = self.pod(documents)["metadata"]["labels"]
        selectors = [it["spec"]["selector"] for it in documents if it["kind"] == "Service"]
        for kind in ("StatefulSet", "PodDisruptionBudget", "PodMonitor"):
            selectors += [it["spec"]["selector"]["matchLabels"] for it in documents if it["kind"] == kind]
        selectors.append(self.one(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"])
        spread = self.pod(documents)["spec"]["topologySpreadConstraints"]
        selectors += [it["labelSelector"]["matchLabels"] for it in spread]
        for selector in selectors:
            self.assertTrue(selector)
            self.assertLessEqual(selector.items(), labels.items())

    @for_every_overlay
    def test_every_port_by_name_is_one_of_the_container(self, documents: list[dict]) -> None:
        """Probes, services, monitor and policy, and what gateway.yaml listens on."""
        container = self.container(documents)
        ports = {it["name"]: it["containerPort"] for it in container["ports"]}
        file = yaml.safe_load(self.configuration(documents))
        self.assertEqual(ports, {"http": file["port"], "admin": int(file["admin"]["listen"].rsplit(":", 1)[1])})
        self.assertEqual((file["host"], file["admin"]["listen"].rsplit(":", 1)[0]), ("0.0.0.0", "0.0.0.0"))
        used = [container[it]["httpGet"]["port"] for it in ("startupProbe", "livenessProbe", "readinessProbe")]
        used += [port["targetPort"] for it in documents if it["kind"] == "Service" for port in it["spec"]["ports"]]
        used += [end["port"] for it in documents if it["kind"] == "PodMonitor" for end in it["spec"]["podMetricsEndpoints"]]
        rules = self.one(documents, "NetworkPolicy")["spec"]["ingress"]
        used += [port["port"] for rule in rules for port in rule["ports"]]
        self.assertEqual(set(used), set(ports))

    @for_every_overlay
    def test_what_is_probed_and_scraped_is_served(self, documents: list[dict]) -> None:
        """By the listener that it is asked of."""
        source = (ROOT / "src/edge/admin.rs").read_text()
        container = self.container(documents)
        probes = [container[it]["httpGet"] for it in ("livenessProbe", "readinessProbe")]
        paths = [it["path"] for it in probes if it["port"] == "admin"]
        paths += [end["path"] for it in documents if it["kind"] == "PodMonitor" for end in it["spec"]["podMetricsEndpoints"]]
        for path in paths:
            self.assertIn(f'b"{path}"', source)
        self.assertEqual(container["startupProbe"]["httpGet"], {"path": "/healthz", "port": "http"})

    @for_every_overlay
    def test_names_that_refer_to_others_are_there(self, documents: list[dict]) -> None:
        """Service account, headless service, claim, autoscaler's target, route's backend."""
        spec = self.one(documents, "StatefulSet")["spec"]
        self.one(documents, "ServiceAccount", spec["template"]["spec"]["serviceAccountName"])
        self.assertEqual(self.one(documents, "Service", spec["serviceName"])["spec"]["clusterIP"], "None")
        volumes = {it["name"] for it in spec["template"]["spec"]["volumes"]}
        volumes |= {it["metadata"]["name"] for it in spec["volumeClaimTemplates"]}
        self.assertEqual({it["name"] for it in self.container(documents)["volumeMounts"]}, volumes)
        for document in documents:
            if document["kind"] == "HorizontalPodAutoscaler":
                target = document["spec"]["scaleTargetRef"]
                self.one(documents, target["kind"], target["name"])
            if document["kind"] == "HTTPRoute":
                (backend,) = document["spec"]["rules"][0]["backendRefs"]
                service = self.one(documents, "Service", backend["name"])
                self.assertIn(backend["port"], [it["port"] for it in service["spec"]["ports"]])

    @for_every_overlay
    def test_the_configuration_is_accepted_by_the_gateway(self, documents: list[dict]) -> None:
        """By its own `check`, with every secret that the pod mounts, and with no other."""
        (items,) = [it["secret"]["items"] for it in self.pod(documents)["spec"]["volumes"] if "secret" in it]
        text = self.configuration(documents)
        used = set(re.findall(rf"{SECRETS}/(\w+)", text))
        self.assertEqual(used, {it["path"] for it in items})
        with tempfile.TemporaryDirectory() as folder:
            for name in used:
                value = {"audit_store": "postgres://a:b@postgres.example/a?sslmode=verify-full", "engineers_key": "sha256:" + "0" * 64}
                pathlib.Path(folder, name).write_text(value.get(name, "made-up-for-a-test-and-long-enough"))
            path = pathlib.Path(folder, "gateway.yaml")
            path.write_text(text.replace(SECRETS, folder))
            done = subprocess.run([os.environ["GATEWAY"], "check", "--config", path], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            # TLS ends before the cluster's own network; nothing else may be warned about.
            warnings = re.findall(r"^warning: (.*)$", done.stdout + done.stderr, re.MULTILINE)
            self.assertEqual(warnings, ["gateway keys travel to this host in clear"])

    @for_every_overlay
    def test_secrets_are_references_only(self, documents: list[dict]) -> None:
        """No Secret among the files, and nothing secret in the configuration or the environment."""
        self.assertEqual([it for it in documents if it["kind"] == "Secret"], [])
        file = yaml.safe_load(self.configuration(documents))
        for upstream in file["upstream"].values():
            self.assertTrue(upstream["api_key_file"].startswith(SECRETS))
        keys = [key for team in file["teams"].values() for key in team["api_keys"]]
        self.assertTrue(all(key.startswith(f"file:{SECRETS}/") for key in keys + [file["redaction"]["key"]]))
        self.assertEqual([it["name"] for it in self.container(documents)["env"]], ["STATE_DIRECTORY"])

    @for_every_overlay
    def test_a_stop_has_the_time_that_the_gateway_wants(self, documents: list[dict]) -> None:
        """The pause, the drain and the last records."""
        pause = self.container(documents)["lifecycle"]["preStop"]["sleep"]["seconds"]
        drain = seconds(yaml.safe_load(self.configuration(documents))["limits"]["drain_timeout"])
        grace = self.pod(documents)["spec"]["terminationGracePeriodSeconds"]
        self.assertGreaterEqual(grace, pause + drain + FLUSH_SECONDS)
        readiness = self.container(documents)["readinessProbe"]
        self.assertGreaterEqual(pause, readiness["periodSeconds"] * readiness["failureThreshold"])

    @for_every_overlay
    def test_the_pod_is_restricted(self, documents: list[dict]) -> None:
        """As the namespace asks for, and a little more."""
        pod, container = self.pod(documents)["spec"], self.container(documents)
        self.assertFalse(pod["automountServiceAccountToken"])
        context = pod["securityContext"]
        self.assertTrue(context["runAsNonRoot"] and context["runAsUser"] > 0)
        self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertEqual(context["fsGroupChangePolicy"], "OnRootMismatch")
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        self.assertEqual(container["securityContext"], wanted)
        mounts = {it["mountPath"]: it.get("readOnly", False) for it in container["volumeMounts"]}
        state = container["env"][0]["value"]
        self.assertEqual([path for path, read_only in mounts.items() if not read_only], [state])

    @for_every_overlay
    def test_the_memory_is_more_than_what_may_be_held(self, documents: list[dict]) -> None:
        """Twice over: the body and what is made of it."""
        limits = yaml.safe_load(self.configuration(documents))["limits"]
        held = bytes_of(limits.get("held_bytes_max", "512MiB"))
        self.assertGreaterEqual(bytes_of(self.container(documents)["resources"]["limits"]["memory"]), 2 * held)

    def test_a_fleet_shares_its_store_and_a_single_gateway_has_its_own(self) -> None:
        """SQLite is never shared; placeholders are the same everywhere."""
        self.assertEqual(self.one(BUILT["single"], "StatefulSet")["spec"]["replicas"], 1)
        self.assertNotIn("audit", yaml.safe_load(self.configuration(BUILT["single"])))
        fleet = self.one(BUILT["fleet"], "StatefulSet")["spec"]
        scaler = self.one(BUILT["fleet"], "HorizontalPodAutoscaler")["spec"]
        self.assertEqual(fleet["replicas"], scaler["minReplicas"])
        self.assertGreater(fleet["replicas"], self.one(BUILT["fleet"], "PodDisruptionBudget")["spec"]["maxUnavailable"])
        self.assertIn("audit_store", yaml.safe_load(self.configuration(BUILT["fleet"]))["audit"]["store"])

    @for_every_overlay
    def test_the_outside_is_reached_and_the_inside_is_not(self, documents: list[dict]) -> None:
        """Names and providers from everywhere; the house's networks only where a rule says so."""
        policy = self.one(documents, "NetworkPolicy")["spec"]
        self.assertEqual(policy["policyTypes"], ["Ingress", "Egress"])
        outside = [it["ipBlock"] for rule in policy["egress"] for it in rule["to"] if "ipBlock" in it]
        excepted = next(it["except"] for it in outside if it["cidr"] == "0.0.0.0/0")
        for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"):
            self.assertIn(network, excepted)
        for rule in policy["egress"] + policy["ingress"]:
            self.assertTrue(rule.get("to") or rule.get("from"), "a rule for everybody")
            self.assertTrue(rule["ports"])

    def test_each_overlay_reaches_what_it_needs(self) -> None:
        """And no other port."""
        wanted = {"single": {53, 443}, "fleet": {53, 443, 5432}, "fleet with SIEM": {53, 443, 5432, 6514, 8088, 9200}}
        for name, ports in wanted.items():
            rules = self.one(BUILT[name], "NetworkPolicy")["spec"]["egress"]
            self.assertEqual({port["port"] for rule in rules for port in rule["ports"]}, ports)

    def test_metrics_that_are_asked_for_exist(self) -> None:
        """A gauge of the gateway, for the autoscaler and its adapter."""
        gauges = re.findall(r'gauge\(to, "(\w+)"', (ROOT / "src/sinks/prometheus.rs").read_text())
        metrics = self.one(BUILT["fleet"], "HorizontalPodAutoscaler")["spec"]["metrics"]
        (name,) = [it["pods"]["metric"]["name"] for it in metrics if it["type"] == "Pods"]
        self.assertIn(name, [f"airiskguard_{it}" for it in gauges])
        adapter = yaml.safe_load((K8S / "components/autoscaling/metrics-adapter.yaml").read_text())
        (rule,) = adapter["rules"]["custom"]
        self.assertEqual(rule["name"]["as"], name)
        self.assertTrue(rule["seriesQuery"].startswith(name + "{"))

    def test_alert_rules_are_those_of_everywhere_else(self) -> None:
        """The one file, and the name of the job that it asks for."""
        self.assertEqual(TARGET.read_text(), written(), "run `make k8s`")
        rules = yaml.safe_load((ROOT / "conf/prometheus-rules.yaml").read_text())
        self.assertEqual(self.one(BUILT["fleet"], "PrometheusRule")["spec"], rules)
        label = self.one(BUILT["fleet"], "PodMonitor")["spec"]["jobLabel"]
        job = self.pod(BUILT["fleet"])["metadata"]["labels"][label]
        self.assertIn(f'up{{job="{job}"}}', TARGET.read_text())

    def test_streams_are_not_cut(self) -> None:
        """No limit in the route."""
        for rule in self.one(BUILT["fleet"], "HTTPRoute")["spec"]["rules"]:
            self.assertEqual(rule["timeouts"], {"request": "0s", "backendRequest": "0s"})

    @for_every_overlay
    def test_the_image_is_that_of_this_version(self, documents: list[dict]) -> None:
        """As Cargo.toml has it."""
        version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
        self.assertEqual(self.container(documents)["image"], f"airiskguard-gateway:{version}")


if __name__ == "__main__":
    sys.exit(unittest.main())
