"""A row of the table, and what several checks ask of the world."""

import re

from world import World


class Row:
    """One line of the table."""

    def __init__(self, what: str, told: str, holds: bool = True) -> None:
        self.what, self.told, self.holds = what, told, holds


def quarantine(world: World, session: str, **more: object) -> str:
    """Keeps a session out; by which name."""
    body = {"kind": "session", "value": session, "reason": "a test of the fleet", **more}
    return world.server.call("POST", "/api/v1/quarantines", body)["reference"]


def states(world: World) -> dict[str, str]:
    """The word beside each gateway on the page of gateways."""
    rows = re.findall(r'<th scope="row">([^<]+)</th>\s*<td><span class="badge [^"]*">([^<]*)</span>', world.server.page("/gateways"))
    return dict(rows)
