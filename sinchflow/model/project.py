"""The project file's settings, read and checked, before secrets are filled in."""

from datetime import timedelta

import msgspec

from sinchflow.model.flow import Text
from sinchflow.model.origin import Origin


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """API key and secret; texts that may refer to `secrets.NAME`."""

    api_key: Text
    api_secret: Text


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The account's throttle: at most `calls` calls in any `per`; None is `calls: off`. `batch`: messages per call."""

    calls: int | None = 100  #: the connector's own: 100 calls per 60 s
    per: timedelta = timedelta(seconds=60)
    batch: int = 100  #: the provider takes up to 100


class Brake(msgspec.Struct, frozen=True, kw_only=True):
    """At most `max` messages to one contact within `per`, over all flows."""

    max: int = 10
    per: timedelta = timedelta(minutes=10)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What every send must pass."""

    max_sends_per_contact: Brake | None = Brake()  #: None is `off`


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """`sinchflow.yaml`; every setting has a default."""

    origin: Origin
    service: str | None = None
    base_url: Text | None = None
    credentials: Credentials | None = None
    source_number: str | None = None
    country: str | None = None  #: ISO 3166 alpha-2: how national numbers are read
    timezone: str = "UTC"  #: IANA name
    limits: Limits = Limits()
    webhook_token: Text | None = None
    outbound_allow: tuple[str, ...] = ()  #: addresses, networks or host names that `http` may reach although private
    env: tuple[str, ...] = ()
    policy: Policy = Policy()
