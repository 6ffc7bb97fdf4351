"""An edge machine, and Caddy in front of it with certificates of a real authority."""

import pytest
from torture.front import LOOPBACK, Authority, CaddyFront, Site, publish
from torture.processes import Install, free_ports

DOMAIN = "links.example.com"


@pytest.fixture(scope="session")
def ports():
    """Of plain HTTP and HTTPS: the authority comes to these, at whatever address a name is."""
    return free_ports(2)


@pytest.fixture(scope="session")
def authority(tmp_path_factory, ports):
    with Authority(tmp_path_factory.mktemp("authority"), *ports) as authority:
        yield authority


@pytest.fixture(scope="module")
def install(tmp_path_factory):
    """Workers and agent, which know `DOMAIN`. No control plane is anywhere: an edge redirects without one."""
    with Install(tmp_path_factory.mktemp("edge")) as install:
        for process in (install.edge(), install.agent()):
            process.wait_ready()
        publish(install, DOMAIN)
        yield install


@pytest.fixture(scope="module")
def caddy(install, authority, ports):
    with CaddyFront(install, authority, Site(LOOPBACK, *ports)) as caddy:
        yield caddy
