#!/usr/bin/env python3
"""A fleet of gateways under one policy server on PostgreSQL: how fast changes arrive, and what happens in trouble.

Usage: run.py GATEWAY POLICY_SERVER [--gateways 20] [--rounds 6] [--only publish,cut] [--short]

Starts a PostgreSQL server of its own, the policy server on it, the gateways as processes that enrol with one-time tokens,
and a provider that answers at once. Prints a table in Markdown; the exit status is 1 where something that must hold does
not. `--short` is for tests: few gateways, and no bound on times. Needs nothing but Python's own library and Debian's
`postgresql` (and `faketime` for the clocks), on Linux.
"""

import argparse
import pathlib
import signal
import sys
import tempfile
import time
import traceback

import checks
from world import Missed, World

SHORT = {"gateways": 3, "rounds": 2, "requests": 200, "poll": "1s", "outage": 3, "watch": 2}


def arguments() -> argparse.Namespace:
    """What is to be done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gateway", type=lambda it: pathlib.Path(it).resolve())
    parser.add_argument("server", type=lambda it: pathlib.Path(it).resolve())
    parser.add_argument("--gateways", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=6, help="changes of the policy that are timed; of keys and quarantines half as many")
    parser.add_argument("--requests", type=int, default=10_000, help="of the load without trouble")
    parser.add_argument("--poll", default="5s", help="how often gateways ask")
    parser.add_argument("--outage", type=int, default=15, help="seconds that database and server stay away")
    parser.add_argument("--watch", type=int, default=45, help="seconds for which the page is watched while nothing changes")
    parser.add_argument("--seconds", type=int, default=5, help="of each stretch of `cost`")
    parser.add_argument("--clients", type=int, default=8, help="of `cost`")
    parser.add_argument("--kilobytes", type=int, default=16, help="of each prompt of `cost`")
    usual = ",".join(it for it in checks.CHECKS if it != "cost")
    parser.add_argument("--only", default=usual, help=f"of {', '.join(checks.CHECKS)}; `cost` by itself, with --poll 1s")
    parser.add_argument("--short", action="store_true", help="the form for tests")
    given = parser.parse_args()
    if given.short:
        vars(given).update(SHORT)
    given.bounded = not given.short
    return given


def main() -> int:
    """The exit status."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows: list[checks.Row] = []
    with tempfile.TemporaryDirectory(prefix="airiskguard-fleet-") as folder:
        # PostgreSQL runs as another user below it.
        pathlib.Path(folder).chmod(0o755)
        begun = time.monotonic()
        with World(given, pathlib.Path(folder)) as world:
            print(f"{given.gateways} gateways serve after {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
            for name in given.only.split(","):
                rows += check(world, name)
    print("\n| what | how it went | holds |\n|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.told} | {'yes' if row.holds else '**missed**'} |")
    return 0 if all(it.holds for it in rows) else 1


def check(world: World, name: str) -> list[checks.Row]:
    """The rows of one check; what does not hold is a row, too."""
    begun = time.monotonic()
    try:
        rows = checks.CHECKS[name](world)
    except Missed as missed:
        rows = [checks.Row(name, str(missed).replace("\n", " ").replace("|", "/"), False)]
    except Exception:
        traceback.print_exc()
        rows = [checks.Row(name, "the check itself broke off, see above", False)]
    print(f"{name}: {time.monotonic() - begun:.0f} s: {'; '.join(it.told for it in rows)}", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
