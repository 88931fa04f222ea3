"""Every overlay, whatever is in it: valid for every supported version of Kubernetes, and in one namespace."""

import unittest

import jsonschema
import kubernetes_validate
import yaml

from overlays import ALL, GATEWAYS, ROOT, for_every, one

# The oldest one that pauses before a stop without a shell in the image, and what came since.
VERSIONS = ("1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
OWN_SCHEMAS = {"BackendTLSPolicy", "HTTPRoute", "PodMonitor", "PrometheusRule"}


class Manifests(unittest.TestCase):
    """What holds for every overlay."""

    def setUp(self) -> None:
        self.schemas = yaml.safe_load((ROOT / "tests/k8s/schemas.yaml").read_text())

    @for_every(ALL)
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
        for documents in ALL.values():
            for document in documents:
                if document["kind"] in OWN_SCHEMAS:
                    kinds.add(document["kind"])
                    jsonschema.Draft202012Validator(self.schemas[document["kind"]]).validate(document)
        self.assertEqual(kinds, OWN_SCHEMAS)

    def test_a_mistake_would_be_noticed(self) -> None:
        """The validators are not blind."""
        documents = GATEWAYS["fleet"]
        service = yaml.safe_load(yaml.safe_dump(one(documents, "Service", "airiskguard-gateway")))
        service["spec"]["selektor"] = {}
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(service, VERSIONS[-1], strict=True)
        route = yaml.safe_load(yaml.safe_dump(one(documents, "HTTPRoute", "airiskguard-gateway")))
        route["spec"]["rules"][0]["timeouts"]["request"] = "0"
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(self.schemas["HTTPRoute"]).validate(route)

    @for_every(ALL)
    def test_everything_is_in_the_namespace(self, documents: list[dict]) -> None:
        """Nothing lands where the user happens to be."""
        (namespace,) = [it["metadata"]["name"] for it in documents if it["kind"] == "Namespace"]
        for document in documents:
            if document["kind"] != "Namespace":
                self.assertEqual(document["metadata"]["namespace"], namespace, document["kind"])

    @for_every(ALL)
    def test_no_secret_is_among_the_files(self, documents: list[dict]) -> None:
        """They are references only."""
        self.assertEqual([it for it in documents if it["kind"] == "Secret"], [])


if __name__ == "__main__":
    unittest.main()
