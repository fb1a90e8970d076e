"""AWS KMS as moto serves it: botocore's own requests over a socket, answered as AWS answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import botocore.config
import botocore.session
import pytest
from moto.kms.models import kms_backends
from moto.server import DomainDispatcherApplication, create_backend_app

from tests.services.loopback import serving

REGION = "eu-west-1"


class Aws:
    """Keys at moto's KMS."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = self.new_client()

    def new_client(self, **settings: Any) -> Any:
        """A client as production makes it, but for the address and the credentials."""
        session = botocore.session.Session()
        session.set_credentials("test", "test")
        config = botocore.config.Config(retries={"total_max_attempts": 1}, **settings)
        return session.create_client("kms", region_name=REGION, endpoint_url=self.url, config=config)

    def make_key(self, **kind: Any) -> str:
        """A key; its ARN."""
        return str(self.client.create_key(**kind)["KeyMetadata"]["Arn"])

    def stored(self, arn: str) -> Any:
        """Moto's own record of a key, for what AWS would let nobody do."""
        return kms_backends["123456789012"][REGION].keys[arn.rpartition("/")[2]]


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    """AWS KMS for this process."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with serving(DomainDispatcherApplication(create_backend_app)) as url:
        yield Aws(url)
