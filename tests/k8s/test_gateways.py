"""The gateways of every overlay: everything in it fits together, and the program accepts what it is given."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

from overlays import GATEWAYS, K8S, POLICY_SERVER, ROOT, SECRETS, bytes_of, for_every, one, seconds, version
from write_rules import TARGET, written

FLUSH_SECONDS = 15


class Gateways(unittest.TestCase):
    """What holds for every overlay with gateways, and what for one."""

    @staticmethod
    def one(documents: list[dict], kind: str, name: str = "airiskguard-gateway") -> dict:
        """The one document of this kind and name."""
        return one(documents, kind, name)

    def pod(self, documents: list[dict]) -> dict:
        """What is run."""
        return self.one(documents, "StatefulSet")["spec"]["template"]

    def container(self, documents: list[dict]) -> dict:
        """The one container."""
        (container,) = self.pod(documents)["spec"]["containers"]
        return container

    def configuration(self, documents: list[dict]) -> str:
        """gateway.yaml, as the container will find it."""
        (name,) = [it["configMap"]["name"] for it in self.pod(documents)["spec"]["volumes"] if it["name"] == "configuration"]
        return self.one(documents, "ConfigMap", name)["data"]["gateway.yaml"]

    @for_every(GATEWAYS)
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

    @for_every(GATEWAYS)
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

    @for_every(GATEWAYS)
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

    @for_every(GATEWAYS)
    def test_names_that_refer_to_others_are_there(self, documents: list[dict]) -> None:
        """Service account, headless service, claim, autoscaler's target, route's backend."""
        spec = self.one(documents, "StatefulSet")["spec"]
        self.one(documents, "ServiceAccount", spec["template"]["spec"]["serviceAccountName"])
        self.assertEqual(self.one(documents, "Service", spec["serviceName"])["spec"]["clusterIP"], "None")
        volumes = {it["name"] for it in spec["template"]["spec"]["volumes"]}
        volumes |= {it["metadata"]["name"] for it in spec["volumeClaimTemplates"]}
        containers = [self.container(documents), *spec["template"]["spec"].get("initContainers", [])]
        self.assertEqual({it["name"] for container in containers for it in container["volumeMounts"]}, volumes)
        for document in documents:
            if document["kind"] == "HorizontalPodAutoscaler":
                target = document["spec"]["scaleTargetRef"]
                self.one(documents, target["kind"], target["name"])
            if document["kind"] == "HTTPRoute":
                (backend,) = document["spec"]["rules"][0]["backendRefs"]
                service = self.one(documents, "Service", backend["name"])
                self.assertIn(backend["port"], [it["port"] for it in service["spec"]["ports"]])

    @for_every(GATEWAYS)
    def test_the_configuration_is_accepted_by_the_gateway(self, documents: list[dict]) -> None:
        """By its own `check`, with every secret that the pod mounts, and with no other."""
        secrets = [it["secret"] for it in self.pod(documents)["spec"]["volumes"] if "secret" in it]
        (items,) = [it["items"] for it in secrets if it["secretName"] == "airiskguard-gateway"]
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
            # TLS ends before the cluster's own network; nothing else may be warned about. Whoever follows a server has no
            # keys in the file.
            warnings = re.findall(r"^warning: (.*)$", done.stdout + done.stderr, re.MULTILINE)
            self.assertEqual(warnings, ["gateway keys travel to this host in clear"] if "teams" in yaml.safe_load(text) else [])

    @for_every(GATEWAYS)
    def test_secrets_are_references_only(self, documents: list[dict]) -> None:
        """No Secret among the files, and nothing secret in the configuration or the environment."""
        self.assertEqual([it for it in documents if it["kind"] == "Secret"], [])
        file = yaml.safe_load(self.configuration(documents))
        for upstream in file.get("upstream", {}).values():
            self.assertTrue(upstream["api_key_file"].startswith(SECRETS))
        keys = [key for team in file.get("teams", {}).values() for key in team["api_keys"]]
        self.assertTrue(all(key.startswith(f"file:{SECRETS}/") for key in keys + [file["redaction"]["key"]]))
        self.assertEqual([it["name"] for it in self.container(documents)["env"]], ["STATE_DIRECTORY"])

    @for_every(GATEWAYS)
    def test_a_stop_has_the_time_that_the_gateway_wants(self, documents: list[dict]) -> None:
        """The pause, the drain and the last records."""
        pause = self.container(documents)["lifecycle"]["preStop"]["sleep"]["seconds"]
        drain = seconds(yaml.safe_load(self.configuration(documents))["limits"]["drain_timeout"])
        grace = self.pod(documents)["spec"]["terminationGracePeriodSeconds"]
        self.assertGreaterEqual(grace, pause + drain + FLUSH_SECONDS)
        readiness = self.container(documents)["readinessProbe"]
        self.assertGreaterEqual(pause, readiness["periodSeconds"] * readiness["failureThreshold"])

    @for_every(GATEWAYS)
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

    @for_every(GATEWAYS)
    def test_the_memory_is_more_than_what_may_be_held(self, documents: list[dict]) -> None:
        """Twice over: the body and what is made of it."""
        limits = yaml.safe_load(self.configuration(documents))["limits"]
        held = bytes_of(limits.get("held_bytes_max", "512MiB"))
        self.assertGreaterEqual(bytes_of(self.container(documents)["resources"]["limits"]["memory"]), 2 * held)

    def test_a_fleet_shares_its_store_and_a_single_gateway_has_its_own(self) -> None:
        """SQLite is never shared; placeholders are the same everywhere."""
        self.assertEqual(self.one(GATEWAYS["single"], "StatefulSet")["spec"]["replicas"], 1)
        self.assertNotIn("audit", yaml.safe_load(self.configuration(GATEWAYS["single"])))
        fleet = self.one(GATEWAYS["fleet"], "StatefulSet")["spec"]
        scaler = self.one(GATEWAYS["fleet"], "HorizontalPodAutoscaler")["spec"]
        self.assertEqual(fleet["replicas"], scaler["minReplicas"])
        self.assertGreater(fleet["replicas"], self.one(GATEWAYS["fleet"], "PodDisruptionBudget")["spec"]["maxUnavailable"])
        self.assertIn("audit_store", yaml.safe_load(self.configuration(GATEWAYS["fleet"]))["audit"]["store"])

    def test_gateways_enrol_with_the_policy_server_before_they_start(self) -> None:
        """Each with its own token, in its own folder, at the address that the certificate is for."""
        documents = GATEWAYS["enrolled"]
        pod, container = self.pod(documents)["spec"], self.container(documents)
        (enrols,) = pod["initContainers"]
        self.assertEqual(enrols["securityContext"], container["securityContext"])
        mounts = {it["name"]: it for it in enrols["volumeMounts"]}
        for mount in container["volumeMounts"]:
            self.assertEqual(mounts[mount["name"]], mount)
        environment = {it["name"]: it for it in enrols["env"]}
        self.assertEqual(environment["STATE_DIRECTORY"], container["env"][0])
        self.assertEqual(environment["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name")
        self.assertIn(f"--token-file={mounts['enrolment']['mountPath']}/$(POD_NAME)", enrols["args"])
        self.assertEqual(enrols["args"][0], "enroll")
        # The program knows each of the flags.
        known = subprocess.run([os.environ["GATEWAY"], "enroll", "--help"], capture_output=True, text=True, check=True).stdout
        for flag in enrols["args"][1:]:
            self.assertIn(flag.split("=")[0] + " ", known)

        control = yaml.safe_load(self.configuration(documents))["control"]
        self.assertTrue(control["ca_file"].startswith(mounts["policy-ca"]["mountPath"] + "/"))
        policy = one(POLICY_SERVER, "BackendTLSPolicy", "airiskguard-policy-server")["spec"]["validation"]
        self.assertEqual(control["server"], f"https://{policy['hostname']}")
        service, namespace, _ = policy["hostname"].split(".")
        service = one(POLICY_SERVER, "Service", service)
        self.assertEqual(service["metadata"]["namespace"], namespace)
        self.assertEqual([it["port"] for it in service["spec"]["ports"]], [443])
        (volume,) = [it for it in pod["volumes"] if it["name"] == "policy-ca"]
        self.assertEqual([volume["configMap"]["name"]], [it["name"] for it in policy["caCertificateRefs"]])

    def test_gateways_and_policy_server_may_talk(self) -> None:
        """Out of the one, into the other; by the labels that each has."""
        server = one(POLICY_SERVER, "StatefulSet", "airiskguard-policy-server")["spec"]["template"]
        gateway = self.pod(GATEWAYS["enrolled"])
        egress = self.one(GATEWAYS["enrolled"], "NetworkPolicy")["spec"]["egress"][-1]
        ingress = one(POLICY_SERVER, "NetworkPolicy", "airiskguard-policy-server")["spec"]["ingress"][0]
        for rule, peers, pod in ((egress, "to", server), (ingress, "from", gateway)):
            (peer,) = rule[peers]
            self.assertLessEqual(peer["podSelector"]["matchLabels"].items(), pod["metadata"]["labels"].items())
            self.assertEqual(rule["ports"], [{"protocol": "TCP", "port": "https"}])

    @for_every(GATEWAYS)
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
        wanted["enrolled"] = {53, 443, "https"}
        for name, ports in wanted.items():
            rules = self.one(GATEWAYS[name], "NetworkPolicy")["spec"]["egress"]
            self.assertEqual({port["port"] for rule in rules for port in rule["ports"]}, ports)

    def test_metrics_that_are_asked_for_exist(self) -> None:
        """A gauge of the gateway, for the autoscaler and its adapter."""
        gauges = re.findall(r'gauge\(to, "(\w+)"', (ROOT / "src/sinks/prometheus.rs").read_text())
        metrics = self.one(GATEWAYS["fleet"], "HorizontalPodAutoscaler")["spec"]["metrics"]
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
        self.assertEqual(self.one(GATEWAYS["fleet"], "PrometheusRule")["spec"], rules)
        label = self.one(GATEWAYS["fleet"], "PodMonitor")["spec"]["jobLabel"]
        job = self.pod(GATEWAYS["fleet"])["metadata"]["labels"][label]
        self.assertIn(f'up{{job="{job}"}}', TARGET.read_text())

    def test_streams_are_not_cut(self) -> None:
        """No limit in the route."""
        for rule in self.one(GATEWAYS["fleet"], "HTTPRoute")["spec"]["rules"]:
            self.assertEqual(rule["timeouts"], {"request": "0s", "backendRequest": "0s"})

    @for_every(GATEWAYS)
    def test_the_image_is_that_of_this_version(self, documents: list[dict]) -> None:
        """As Cargo.toml has it."""
        spec = self.pod(documents)["spec"]
        for container in spec["containers"] + spec.get("initContainers", []):
            self.assertEqual(container["image"], f"airiskguard-gateway:{version()}")


if __name__ == "__main__":
    sys.exit(unittest.main())
