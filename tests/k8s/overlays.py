"""The overlays of conf/k8s as they would be applied, and what tests ask them."""

import pathlib
import re
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
K8S = ROOT / "conf/k8s"
SECRETS = "/run/secrets/airiskguard"


def built(folder: pathlib.Path) -> list[dict]:
    """What `kubectl apply --kustomize` would send."""
    command = ["kubectl", "kustomize", str(folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return list(yaml.safe_load_all(text))


def with_siem() -> list[dict]:
    """The fleet with the component that no overlay has."""
    with tempfile.TemporaryDirectory(dir=K8S) as folder:
        text = yaml.safe_dump({"resources": ["../fleet"], "components": ["../components/siem"], "namespace": "airiskguard"})
        pathlib.Path(folder, "kustomization.yaml").write_text(text)
        return built(pathlib.Path(folder))


# Those that have gateways, and those beside them.
GATEWAYS = {name: built(K8S / name) for name in ("single", "fleet", "enrolled")} | {"fleet with SIEM": with_siem()}
POLICY_SERVER = built(K8S / "policy-server")
ALL = GATEWAYS | {"policy-server": POLICY_SERVER}


def one(documents: list[dict], kind: str, name: str) -> dict:
    """The one document of this kind and name."""
    found = [it for it in documents if it["kind"] == kind and it["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} documents are {kind} {name}"
    return found[0]


def version() -> str:
    """As Cargo.toml has it."""
    return re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)


def seconds(text: str) -> int:
    """Of a duration in gateway.yaml."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def bytes_of(text: str) -> int:
    """Of a size in either notation."""
    number, unit = re.fullmatch(r"(\d+)([KMG]i)B?", text).groups()
    return int(number) << {"Ki": 10, "Mi": 20, "Gi": 30}[unit]


def for_every(overlays: dict[str, list[dict]]):
    """A test that is given the documents of each of these overlays in turn."""

    def decorate(check):
        def run(self) -> None:
            for name, documents in overlays.items():
                with self.subTest(overlay=name):
                    check(self, documents)

        run.__doc__ = check.__doc__
        return run

    return decorate
