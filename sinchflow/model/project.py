"""The project file's settings, read and checked, before secrets are filled in."""

from datetime import timedelta
from typing import Literal

import msgspec

from sinchflow.model.flow import OnUnknown, Text, Words
from sinchflow.model.origin import Origin

#: The account that the top level of the project file describes.
DEFAULT_ACCOUNT = "default"


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """API key and secret; texts that may refer to `secrets.NAME`. `auth`: of which kind the key is."""

    api_key: Text
    api_secret: Text
    auth: Literal["basic", "hmac"] = "basic"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The account's throttle: at most `calls` calls in any `per`; None is `calls: off`. `batch`: messages per call."""

    calls: int | None = 100  #: the connector's own: 100 calls per 60 s
    per: timedelta = timedelta(seconds=60)
    batch: int = 100  #: the provider takes up to 100


class CatchUp(msgspec.Struct, frozen=True, kw_only=True):
    """Fetching what webhooks missed. What is fetched is confirmed, and so hidden from other readers of the account."""

    on_start: bool = False
    every: timedelta | None = None  #: None: not on a timer
    max_age: timedelta = timedelta(hours=2)  #: older events are recorded and start nothing


class Sends(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of messages of which nobody knows whether they went out, and of those that cannot leave."""

    on_unknown: OnUnknown = "check"
    unknown_after: timedelta = timedelta(minutes=30)  #: what cannot be found out by then is held
    #: The detail report is believed that it lacks a message only this long after the call (sinch-api.md section 13).
    settling_time: timedelta = timedelta(minutes=2)
    valid_for: timedelta = timedelta(hours=24)


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long the journal keeps what has ended; None is `off`: for ever, without a bound, all.

    traces: of each flow and outcome, how many of the newest runs keep more than how they ended; failed ones all do.
    """

    events: timedelta | None = timedelta(days=60)
    runs: timedelta | None = timedelta(days=90)
    max_size_bytes: int | None = 20_000_000_000
    traces: int | None = 100


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One connection to the provider."""

    name: str = DEFAULT_ACCOUNT
    origin: Origin
    service: str | None = None
    base_url: Text | None = None
    credentials: Credentials | None = None
    sub_account: str | None = None  #: act for this sub-account with the parent's key
    source_number: str | None = None
    limits: Limits = Limits()
    catch_up: CatchUp | None = None


class Webhooks(msgspec.Struct, frozen=True, kw_only=True):
    """How the provider reaches us, and what it is told when webhooks are registered."""

    token: Text | None = None
    secret: Text | None = None  #: in a header of each account webhook, and demanded there
    public_url: Text | None = None  #: without `/hooks/…`; may have a path, which a proxy takes off
    #: `auto`: signatures are demanded of an account as soon as a key of it is stored
    signature: Literal["auto", "on", "off"] = "auto"
    name: str = "sinchflow"  #: tells this deployment's webhooks from those of others on the same account
    retries: int = 5  #: the provider's most
    retry_delay: timedelta = timedelta(seconds=60)
    read_timeout: timedelta = timedelta(seconds=10)
    drift_every: timedelta | None = timedelta(hours=1)  #: None is `off`


class KeywordPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Whole messages that mean opt-out, opt-in or help. keywords: None is the default set of all languages."""

    keywords: tuple[str, ...] | None = None
    reply: Words | None = None  #: None is `off`


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """No messages from `from_` to `to` (minutes after midnight, in the contact's time zone, else the project's)."""

    from_: int
    to: int
    action: Literal["defer", "drop"] = "defer"


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """At most `max` messages within `per`."""

    max: int
    per: timedelta


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """Opening hours by weekday (0 is Monday) as spans of minutes after midnight, in the project's time zone.

    holidays: a region of the `holidays` library, `AU` or `AU-VIC`. closed: more days, ISO dates, or a list's name.
    """

    weekly: dict[int, tuple[tuple[int, int], ...]]
    holidays: str | None = None
    closed: tuple[str, ...] = ()
    closed_file: str | None = None  #: a CSV file whose first column holds ISO dates
    timezone: str | None = None


class Brake(msgspec.Struct, frozen=True, kw_only=True):
    """At most `max` messages to one contact within `per`, over all flows."""

    max: int = 10
    per: timedelta = timedelta(minutes=10)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What every send must pass."""

    max_sends_per_contact: Brake | None = Brake()  #: None is `off`
    opt_out: KeywordPolicy | None = KeywordPolicy()  #: None is `off`: the words go to flows like any other
    opt_in: KeywordPolicy | None = KeywordPolicy()
    help: KeywordPolicy | None = KeywordPolicy()
    quiet_hours: QuietHours | None = None
    staff: tuple[str, ...] = ()  #: numbers, exempt from quiet hours and the brake
    staff_list: str | None = None  #: a list of more of them
    max_sends_per_run: int = 50
    max_sends_per_flow: Budget | None = None
    max_sends_per_day: int | None = None  #: of the whole project, in its time zone's days
    allowed_countries: tuple[str, ...] = ()  #: ISO 3166 alpha-2; none given: all


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """`sinchflow.yaml`; every setting has a default."""

    origin: Origin
    account: Account  #: the default one
    accounts: dict[str, Account] = {}  #: the others, by name
    country: str | None = None  #: ISO 3166 alpha-2: how national numbers are read
    timezone: str = "UTC"  #: IANA name
    webhooks: Webhooks = Webhooks()
    outbound_allow: tuple[str, ...] = ()  #: addresses, networks or host names that `http` may reach although private
    env: tuple[str, ...] = ()
    secrets_dir: str | None = None  #: a folder with one file for each secret, as NAME; relative to the project
    language: str | None = None  #: of texts, where the contact's is not known
    lists: dict[str, str] = {}  #: names to CSV files, relative to the project
    calendars: dict[str, Calendar] = {}
    policy: Policy = Policy()
    sends: Sends = Sends()
    retention: Retention = Retention()

    @property
    def all_accounts(self) -> dict[str, Account]:
        """Every account by name, the default one first."""
        return {self.account.name: self.account, **self.accounts}
