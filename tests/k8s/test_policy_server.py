"""The policy server of its overlay: everything fits together, and the program accepts its settings."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

from overlays import POLICY_SERVER, ROOT, SECRETS, one, version

NAME = "airiskguard-policy-server"
# Requests under way have so long, and the last records.
FAREWELL_SECONDS = 10
FLUSH_SECONDS = 15
MASTER_KEY = "AIRISKGUARD_MASTER_KEY"


class PolicyServer(unittest.TestCase):
    """What is applied, as the cluster would read it."""

    def setUp(self) -> None:
        self.set = one(POLICY_SERVER, "StatefulSet", NAME)["spec"]
        self.pod = self.set["template"]["spec"]
        (self.container,) = self.pod["containers"]
        self.environment = {it["name"]: it for it in self.container["env"]}

    def settings(self) -> str:
        """policy-server.yaml, as the container will find it."""
        (name,) = [it["configMap"]["name"] for it in self.pod["volumes"] if "configMap" in it]
        return one(POLICY_SERVER, "ConfigMap", name)["data"]["policy-server.yaml"]

    def test_every_selector_finds_the_pods(self) -> None:
        """Services, budget, policy, spread and the set itself."""
        labels = self.set["template"]["metadata"]["labels"]
        selectors = [it["spec"]["selector"] for it in POLICY_SERVER if it["kind"] == "Service"]
        selectors += [self.set["selector"]["matchLabels"]]
        selectors += [one(POLICY_SERVER, "PodDisruptionBudget", NAME)["spec"]["selector"]["matchLabels"]]
        selectors += [one(POLICY_SERVER, "NetworkPolicy", NAME)["spec"]["podSelector"]["matchLabels"]]
        selectors += [it["labelSelector"]["matchLabels"] for it in self.pod["topologySpreadConstraints"]]
        for selector in selectors:
            self.assertTrue(selector)
            self.assertLessEqual(selector.items(), labels.items())

    def test_names_and_ports_that_refer_to_others_are_there(self) -> None:
        """Service account, headless service, mounts, ports, the route's backend."""
        one(POLICY_SERVER, "ServiceAccount", self.pod["serviceAccountName"])
        self.assertEqual(one(POLICY_SERVER, "Service", self.set["serviceName"])["spec"]["clusterIP"], "None")
        volumes = {it["name"] for it in self.pod["volumes"] + [it["metadata"] for it in self.set["volumeClaimTemplates"]]}
        self.assertEqual({it["name"] for it in self.container["volumeMounts"]}, volumes)
        ports = {it["name"]: it["containerPort"] for it in self.container["ports"]}
        self.assertEqual(ports, {"https": int(self.environment["AIRISKGUARD_POLICY_SERVER_PORT"]["value"])})
        used = [port["targetPort"] for it in POLICY_SERVER if it["kind"] == "Service" for port in it["spec"]["ports"]]
        used += [self.container[it]["httpGet"]["port"] for it in ("startupProbe", "livenessProbe", "readinessProbe")]
        rules = one(POLICY_SERVER, "NetworkPolicy", NAME)["spec"]["ingress"]
        used += [port["port"] for rule in rules for port in rule["ports"]]
        self.assertEqual(set(used), set(ports))
        (rule,) = one(POLICY_SERVER, "HTTPRoute", NAME)["spec"]["rules"]
        (backend,) = rule["backendRefs"]
        service = one(POLICY_SERVER, "Service", backend["name"])["spec"]
        self.assertIn(backend["port"], [it["port"] for it in service["ports"]])
        (target,) = one(POLICY_SERVER, "BackendTLSPolicy", NAME)["spec"]["targetRefs"]
        self.assertEqual(target["name"], backend["name"])
        self.assertIn(target["sectionName"], [it["name"] for it in service["ports"]])
        (host,) = one(POLICY_SERVER, "HTTPRoute", NAME)["spec"]["hostnames"]
        self.assertEqual(yaml.safe_load(self.settings())["public_url"], f"https://{host}")

    def test_what_is_probed_is_served(self) -> None:
        """Over TLS, as the server has a certificate."""
        source = (ROOT / "src/control/health.rs").read_text()
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = self.container[probe]["httpGet"]
            self.assertIn(f'"{asked["path"]}"', source)
            self.assertEqual(asked["scheme"], "HTTPS")

    def test_the_settings_are_accepted_by_the_server(self) -> None:
        """By its own `--check`, with the command line, the secrets and the certificate that the pod has."""
        volumes = {it["name"]: it for it in self.pod["volumes"]}
        text, arguments = self.settings(), list(self.container["args"])
        with tempfile.TemporaryDirectory() as folder:
            store = "postgres://a:b@postgres.example/policy?sslmode=verify-full"
            for item in volumes["secrets"]["secret"]["items"]:
                self.assertIn(f"{SECRETS}/{item['path']}", text)
                pathlib.Path(folder, item["path"]).write_text(store)
            files = {item["path"] for item in volumes["certificate"]["secret"]["items"]}
            self.assertEqual(files, {"tls.crt", "tls.key"})
            command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=a -keyout tls.key -out tls.crt"
            subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
            pathlib.Path(folder, "policy-server.yaml").write_text(text.replace(SECRETS, folder))
            mounts = {it["name"]: it["mountPath"] for it in self.container["volumeMounts"]}
            arguments[arguments.index("--config") + 1] = f"{folder}/policy-server.yaml"
            environment = {name: it.get("value", "").replace(mounts["certificate"], folder) for name, it in self.environment.items()}
            environment[MASTER_KEY] = "0" * 64
            command = [os.environ["POLICY_SERVER"], *arguments, "--check"]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            # It is not blind.
            done = subprocess.run(command, env=environment | {MASTER_KEY: "0"}, capture_output=True, text=True)
            self.assertIn("64 hex digits", done.stderr)
            self.assertFalse((pathlib.Path(folder) / "control.db").exists())

    def test_all_servers_share_what_they_have_to(self) -> None:
        """Database and master key; the journal is each one's own."""
        self.assertGreater(self.set["replicas"], 1)
        self.assertEqual(self.set["podManagementPolicy"], "OrderedReady")
        key = self.environment[MASTER_KEY]["valueFrom"]["secretKeyRef"]
        self.assertEqual(key["name"], [it["secret"]["secretName"] for it in self.pod["volumes"] if it["name"] == "secrets"][0])
        self.assertEqual(yaml.safe_load(self.settings())["store"], f"file:{SECRETS}/store")
        folder = self.container["args"][self.container["args"].index("--data-dir") + 1]
        (state,) = [it["metadata"]["name"] for it in self.set["volumeClaimTemplates"]]
        self.assertEqual([it["mountPath"] for it in self.container["volumeMounts"] if it["name"] == state], [folder])

    def test_the_pod_is_restricted(self) -> None:
        """As the namespace asks for, and a little more; nothing secret stands in the environment itself."""
        self.assertFalse(self.pod["automountServiceAccountToken"])
        context = self.pod["securityContext"]
        self.assertTrue(context["runAsNonRoot"] and context["runAsUser"] > 0)
        self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
        self.assertEqual(context["fsGroupChangePolicy"], "OnRootMismatch")
        wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        self.assertEqual(self.container["securityContext"], wanted)
        writable = [it["name"] for it in self.container["volumeMounts"] if not it.get("readOnly", False)]
        self.assertEqual(writable, ["state"])
        for name, it in self.environment.items():
            self.assertTrue("value" not in it or name.startswith("AIRISKGUARD_POLICY_SERVER_"), name)

    def test_a_stop_has_the_time_that_the_server_wants(self) -> None:
        """The pause, the requests under way and the last records."""
        pause = self.container["lifecycle"]["preStop"]["sleep"]["seconds"]
        self.assertGreaterEqual(self.pod["terminationGracePeriodSeconds"], pause + FAREWELL_SECONDS + FLUSH_SECONDS)
        readiness = self.container["readinessProbe"]
        self.assertGreaterEqual(pause, readiness["periodSeconds"] * readiness["failureThreshold"])

    def test_it_reaches_what_it_needs(self) -> None:
        """Names, the database, the identity provider; and the house's networks only where a rule says so."""
        policy = one(POLICY_SERVER, "NetworkPolicy", NAME)["spec"]
        self.assertEqual(policy["policyTypes"], ["Ingress", "Egress"])
        self.assertEqual({port["port"] for rule in policy["egress"] for port in rule["ports"]}, {53, 443, 5432})
        for rule in policy["egress"] + policy["ingress"]:
            self.assertTrue(rule.get("to") or rule.get("from"), "a rule for everybody")
            self.assertTrue(rule["ports"])
        outside = [it["ipBlock"] for rule in policy["egress"] for it in rule["to"] if "ipBlock" in it]
        excepted = next(it["except"] for it in outside if it["cidr"] == "0.0.0.0/0")
        self.assertLessEqual({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}, set(excepted))

    def test_the_live_feed_is_not_cut(self) -> None:
        """No limit in the route."""
        for rule in one(POLICY_SERVER, "HTTPRoute", NAME)["spec"]["rules"]:
            self.assertEqual(rule["timeouts"], {"request": "0s", "backendRequest": "0s"})

    def test_the_image_is_that_of_this_version(self) -> None:
        """As Cargo.toml has it; and every file that README.md names is there."""
        self.assertEqual(self.container["image"], f"{NAME}:{version()}")
        text = (ROOT / "conf/k8s/README.md").read_text()
        for path in set(re.findall(r"conf/k8s/[\w/.-]+", text)):
            self.assertTrue((ROOT / path).exists(), path)


if __name__ == "__main__":
    unittest.main()
