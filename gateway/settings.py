"""gateway.toml and GATEWAY_… variables, read once and handed down.

Every key of the file is also a variable: `[listen] partners` is `GATEWAY_LISTEN__PARTNERS`, and
the keys of `[gateway]` stand at the top: `GATEWAY_DATA_DIR`. Variables win over the file.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from gateway.settings_addresses import PrivateTexts
from gateway.settings_audit import KEY_NAME, Audit
from gateway.settings_discovery import Discovery, Publish
from gateway.settings_mail import Mail
from gateway.settings_wrong import in_words
from ihe.identifiers import HomeCommunityId, Oid

DEFAULT_FILE: Final = Path("gateway.toml")
_DATABASE: Final = re.compile(r"sqlite:///.+|postgres(ql)?(\+\w+)?://\S*")


class InvalidSettings(Exception):
    """gateway.toml or a variable is wrong; the text says which key and why."""


# An agreement, or a name, of blanks alone says nothing: it must not count as one.
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Part):
    """Where we listen, each `address:port`. Partners always need mutual TLS (DECISIONS 7)."""

    partners: str = "127.0.0.1:8443"
    plans: str = "127.0.0.1:8080"
    operations: str = "127.0.0.1:9090"
    public: str | None = None
    """Where partners reach our partner doors, `https://host:port`: for answers that come later."""
    partner_processes: int = Field(default=1, ge=1, le=64)
    """How many processes answer partners; each computes on one processor."""

    @field_validator("public")
    @classmethod
    def _is_https(cls, value: str | None) -> str | None:
        if value is not None and not value.lower().startswith("https://"):
            raise ValueError("must be an https address")
        return None if value is None else value.rstrip("/")

    @model_validator(mode="after")
    def _can_be_shared(self) -> Self:
        if self.partner_processes > 1 and self.partners.startswith("unix:"):
            raise ValueError("a socket file is listened on by one of partner_processes alone")
        return self

    @field_validator("partners", "plans", "operations")
    @classmethod
    def _is_address(cls, value: str, info: ValidationInfo) -> str:
        if info.field_name == "partners" and value.startswith("unix:/"):
            return value  # the socket of a proxy
        host, colon, port = value.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65536):
            raise ValueError("not of the form address:port")
        return value


class Proxy(_Part):
    """A proxy of ours that ends the partners' TLS, and passes their certificate on in a header.

    With `certificates` it speaks TLS to us and shows one of these, and partners may still come
    without it. Otherwise it speaks plain HTTP, and `[listen] partners` is a loopback address or
    `unix:/path`: then whoever may connect there is believed, so that a socket file, which only
    the proxy's group may open, is better than a port that every local process may. The proxy must
    demand a client certificate, and replace the header if a client has sent it.
    """

    header: Literal["client-cert", "x-forwarded-client-cert", "ssl-client-cert"] = "client-cert"
    """RFC 9440's, Envoy's, or the URL-encoded PEM of nginx (`$ssl_client_escaped_cert`)."""
    addresses: tuple[str, ...] = ("127.0.0.1", "::1")
    """From where it connects over plain HTTP."""
    certificates: tuple[Path, ...] = ()
    """The certificates that it shows to us, pinned."""

    @field_validator("addresses")
    @classmethod
    def _are_loopback(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(ip_address(one).is_loopback for one in value):
            raise ValueError("plain HTTP is for loopback alone; elsewhere pin its certificate")
        return value


class KeyPair(_Part):
    """PEM files of a certificate (chain) and its private key."""

    certificate: Path
    key: Path


class Plan(_Part):
    """A health plan of this house. `treatment_agreement` names the contract that lets it assert
    TREATMENT (DECISIONS 8); without it the plan cannot."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")
    name: Words
    member_id_root: str | None = None
    """The OID under which documents and partners name this plan's member ids."""
    treatment_agreement: Words | None = None
    requester_role: Words | None = None
    """The role of whoever asks for this plan, where a request states none."""
    authority: Words | None = None
    """Under which authority this plan asks, where a request states none: an OID or a name."""
    line_of_business: Words | None = None
    """As `[[audit.retention]]` names it; an insurer of several lines has a plan for each."""

    @field_validator("member_id_root")
    @classmethod
    def _is_oid(cls, value: str | None) -> str | None:
        return None if value is None else str(Oid(value))


class Network(_Part):
    """A network of partners: whose certificates it vouches for."""

    name: Words
    anchors: tuple[Path, ...] = ()
    audiences: tuple[str, ...] = ()
    purposes: Literal["nhin", "tefca", "rce"] = "nhin"
    """The code system in which we state purposes there; all of them are read."""
    revocation: Literal["required", "when_reachable", "off"] = "required"
    """Whether a certificate that may have been revoked refuses (DECISIONS 5)."""


class Revocation(_Part):
    """How revocation lists and responders are fetched: from public addresses alone.

    `private_addresses` names others, each `address:port`: a responder inside the house.
    """

    private_addresses: PrivateTexts = ()


class Rule(_Part):
    """What may leave the house (DECISIONS 10); a key that is left out means any."""

    name: Words
    plan: str
    partner: str | None = None
    """The partner's id, as `gateway partners list` shows it."""
    purpose: str | None = None
    class_code: str | None = None
    confidentiality: tuple[str, ...] = ("N",)
    third_party: bool = False
    """Also documents that others wrote, not only the plan's own."""
    on_demand: bool = False
    """Also the member's summary, made on demand of the documents that rules give."""
    locations: bool = False
    """Also which other communities know a member (ITI-56): we are a Health Data Locator."""
    direction: Literal["give", "take"] = "give"
    """`take` gives nothing: it lets partners submit documents to us (ITI-41) for the purpose."""


class Policy(_Part):
    """The rules; they replace whatever stood in the database before."""

    rules: tuple[Rule, ...] = ()


class Limits(_Part):
    """How long and how much. Sizes in bytes, times in seconds."""

    clock_skew_seconds: float = Field(default=60.0, ge=0, allow_inf_nan=False)
    message_bytes: int = Field(default=512 * 1024 * 1024, ge=1)
    discoveries_per_minute: int = Field(default=600, ge=1)
    """How many persons one community may ask for; beyond it hears that we are busy."""
    near_misses_per_day: int = Field(default=20, ge=1)
    """How many questions of a community may nearly name one member before an alarm is raised."""
    query_results: int = Field(default=500, ge=1)
    """How many whole entries an ITI-38 answer holds; beyond it only their ids are given."""
    worker_processes: int = Field(default=1, ge=1)
    worker_memory_bytes: int = Field(default=2 * 1024**3, ge=1)
    mail_cpu_seconds: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """What one message of Direct mail may have of the processor, from its opening to its effect:
    half in a worker, which is ended then; the other half, at the default, is what it takes where
    things are counted instead. Documents that this does not reach are kept, to be read by
    themselves."""
    worker_deadline_seconds: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    correlation_days: int = Field(default=0, ge=0)
    """How long partners may use a patient id of ours without asking again; 0 grants nothing."""


class Settings(BaseSettings):
    """All of them, checked. Paths are as given, relative to the working directory."""

    model_config = SettingsConfigDict(
        env_prefix="GATEWAY_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home_community_id: str = "2.999.1"
    organization: str = "Example Health Plan"
    data_dir: Path = Path("gateway-data")
    key_file: Path = Path("gateway-keys/key-encryption-key")
    """Outside data_dir: whoever copies the data alone cannot read it (DECISIONS 22)."""
    database_url: str | None = None
    listen: Listen = Listen()
    proxy: Proxy | None = None
    tls: KeyPair | None = None
    signing: KeyPair | None = None
    plans: tuple[Plan, ...] = ()
    networks: tuple[Network, ...] = ()
    revocation: Revocation = Revocation()
    policy: Policy | None = None
    limits: Limits = Limits()
    mail: Mail | None = None
    discovery: Discovery = Discovery()
    publish: Publish | None = None
    audit: Audit = Audit()

    @field_validator("home_community_id")
    @classmethod
    def _is_oid(cls, value: str) -> str:
        return str(HomeCommunityId.parse(value))

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: str | None) -> str | None:
        # Its text may hold a password, so the message does not repeat it.
        if value is not None and not _DATABASE.fullmatch(value):
            raise ValueError("not of the form sqlite:///file or postgresql://…")
        return value

    @field_validator("plans", "networks")
    @classmethod
    def _are_distinct(cls, value: tuple[Plan | Network, ...]) -> tuple[Plan | Network, ...]:
        names = [one.id if isinstance(one, Plan) else one.name for one in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands there twice")
        return value

    @field_validator("mail")
    @classmethod
    def _belongs_to_plans(cls, value: Mail | None, info: ValidationInfo) -> Mail | None:
        plans = info.data.get("plans")
        if value is None or plans is None:
            return value
        return value.belonging_to(tuple(plan.id for plan in plans))

    @field_validator("audit")
    @classmethod
    def _keeps_what_there_is(cls, value: Audit, info: ValidationInfo) -> Audit:
        """A plan that is misspelt would be kept for less than was meant."""
        plans: tuple[Plan, ...] = info.data.get("plans", ())
        known = {plan.id for plan in plans} | {plan.line_of_business for plan in plans}
        stated = {one.plan or one.line_of_business for one in value.retention}
        if unknown := sorted(str(one) for one in stated - known):
            raise ValueError(f"retention: no plan is, or is of, {', '.join(unknown)}")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @property
    def database(self) -> str:
        """The database's URL: SQLite in data_dir unless another is named."""
        return self.database_url or f"sqlite:///{self.data_dir / 'gateway.sqlite'}"

    @property
    def checkpoint_key(self) -> Path:
        """The file of the key that signs the log's checkpoints."""
        return self.audit.checkpoint_key or self.key_file.with_name(KEY_NAME)

    @property
    def replies_at(self) -> str | None:
        """Under which address the doors stand that take answers, if partners can reach one."""
        return None if self.listen.public is None else f"{self.listen.public}/ihe"

    @property
    def community(self) -> HomeCommunityId:
        return HomeCommunityId.parse(self.home_community_id)

    def plan(self, plan_id: str) -> Plan | None:
        return next((plan for plan in self.plans if plan.id == plan_id), None)

    def retention_years(self, plan_id: str | None) -> int:
        """For how many years that plan's part of the exchange log is kept."""
        plan = None if plan_id is None else self.plan(plan_id)
        return self.audit.years_of(plan_id, plan.line_of_business if plan else None)

    def with_plans(self, more: Sequence[Mapping[str, Any]]) -> "Settings":
        """These settings with more plans.

        Raises:
            InvalidSettings: one of them is no plan.
        """
        return _checked({**self.model_dump(), "plans": (*self.plans, *more)})

    def network(self, name: str | None) -> Network | None:
        return next((network for network in self.networks if network.name == name), None)


def load_settings(file: Path | None = None) -> Settings:
    """The settings of `file`, or of gateway.toml here if there is one, under the variables.

    Raises:
        InvalidSettings: the named file is missing, is no TOML, or a key is unknown or wrong.
    """
    return _checked(_read(file))


def _read(file: Path | None) -> Mapping[str, Any]:
    path = file or DEFAULT_FILE
    if file is None and not path.exists():
        return {}
    try:
        # Notepad puts a mark before the text, which TOML knows nothing of.
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InvalidSettings(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidSettings(f"{path} is not text in UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(f"{path} is not valid TOML: {error}") from None
    own = content.pop("gateway", {})
    if not isinstance(own, dict):
        raise InvalidSettings("gateway: must be a table, [gateway]")
    twice = sorted(set(own) & set(content))
    if twice:
        raise InvalidSettings(f"{', '.join(twice)}: stands in [gateway] and beside it")
    return {**own, **content}


def _checked(values: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        raise InvalidSettings(in_words(error)) from None
    except SettingsError as error:
        # Says "error parsing value for field …": a variable whose text is no JSON.
        raise InvalidSettings(f"a GATEWAY_ variable: {error}") from None
