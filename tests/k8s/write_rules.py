"""Writes conf/k8s/components/monitoring/prometheus-rule.yaml from conf/prometheus-rules.yaml. Without a library."""

import pathlib

CONF = pathlib.Path(__file__).resolve().parent.parent.parent / "conf"
TARGET = CONF / "k8s/components/monitoring/prometheus-rule.yaml"
HEAD = """\
# Written by `make k8s` from conf/prometheus-rules.yaml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: airiskguard-gateway
spec:
"""


def written() -> str:
    """The rules of the file, two columns further in and under the operator's head."""
    lines = (CONF / "prometheus-rules.yaml").read_text().splitlines(keepends=True)
    body = [line for line in lines if not line.startswith("#")]
    return HEAD + "".join(f"  {line}" if line.strip() else line for line in body)


if __name__ == "__main__":
    TARGET.write_text(written())
