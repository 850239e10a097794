"""What `gateway config check` says of `[mail]`."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from gateway.settings import Settings
from gateway.settings_mail_out import ANY, MailOut, Route

_MODES: Final = {
    "agent": "messages come sealed, from anybody, and we judge them",
    "hisp": "our HISP judges messages and hands them to us open",
}
_NAMES: Final = {
    "off": "clients need not say who they are",
    "offered": "clients may say who they are (SASL PLAIN with a token)",
    "required": "clients must say who they are (SASL PLAIN with a token)",
}


def mail_in_words(settings: Settings) -> Iterator[str]:
    """Each way in, a line."""
    mail = settings.mail
    if mail is None:
        yield "mail            none: there is no [mail]"
        return
    yield f"mail            mode {mail.mode}: {_MODES[mail.mode]}"
    for domain in mail.domains:
        yield f"mail domain     {domain.name}, its mail is plan {domain.plan}'s"
    if mail.listen is not None:
        tls = "STARTTLS" if settings.tls else "no STARTTLS: there is no [tls]"
        yield f"SMTP            {mail.listen}, {tls}, {_NAMES[mail.authenticates]}"
        limits = mail.limits
        yield (
            f"SMTP limits     {limits.message_bytes:,} bytes, {limits.recipients} recipients,"
            f" {limits.connections_per_peer} connections and {limits.messages_per_minute} messages"
            " a minute from one peer"
        )
    for box in mail.imap:
        then = "deletes" if box.after == "delete" else "flags"
        yield (
            f"IMAP            {box.folder} of {box.user} at {box.server} every"
            f" {box.every_seconds:g} s, then {then} it; for {box.address}"
        )
    for folder in mail.folders:
        yield f"mail folder     {folder.path}, for {folder.address}"
    yield f"mail out        {_way(mail.out, ANY)}"
    for route in mail.out.routes:
        yield f"mail out        to {route.domain}: {_way(mail.out, route)}"
    for rule in mail.out.forward:
        yield (
            f"forwarding      {rule.name}: new summaries of {len(rule.members)} of plan"
            f" {rule.plan}'s members to {rule.to}, for {rule.purpose}, by {rule.requester}"
            + (f", as {rule.package}" if rule.package else "")
        )


def _way(out: MailOut, route: Route) -> str:
    """By which servers, sealed how, packed how."""
    smarthost = route.smarthost or out.smarthost
    by = "the domain's own servers" if smarthost is None else smarthost.server
    tls = route.tls if smarthost is None else "verified"
    oaep = f" with {route.oaep_digest}" if route.key_transport == "rsa-oaep" else ""
    context = "" if route.context else " without context"
    return (
        f"by {by}, TLS {tls}; {route.cipher}, {route.key_transport}{oaep};"
        f" documents as {route.package}{context}"
    )


def lax_mail(settings: Settings) -> Iterator[str]:
    """What could be stricter."""
    mail = settings.mail
    if mail is None:
        return
    if mail.listen is not None and settings.tls is None:
        yield f"mail is taken at {mail.listen} without TLS"
    if mail.mode == "hisp" and mail.folders:
        yield "mode hisp: whoever may write into a mail folder is believed"
    for address in mail.out.private_addresses:
        yield f"mail is also sent to {address}, which need not be public"


def helpless_mail(
    settings: Settings, owners: Collection[str], trusted: Collection[str | None]
) -> Iterator[str]:
    """Our domains that nobody can exchange mail with yet: `owners` have keys in use, `trusted` are
    the domains for which there are anchors, None standing for all."""
    mail = settings.mail
    if mail is None or mail.mode == "hisp":
        return
    for domain in mail.domains:
        if not any(one.rpartition("@")[2] == domain.name for one in owners):
            yield (
                f"mail domain {domain.name} has no key in use: what comes cannot be opened, and"
                " nothing is sent; see `gateway direct keys import`"
            )
        if not {None, domain.name}.intersection(trusted):
            yield (
                f"mail domain {domain.name} trusts nobody: all that comes goes to quarantine; see"
                " `gateway direct anchors add` and `gateway direct bundles add`"
            )


def mail_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """The files that `[mail]` names, each with its key."""
    for box in settings.mail.imap if settings.mail else ():
        yield "mail.imap.password_file", box.password_file
        if box.certificates is not None:
            yield "mail.imap.certificates", box.certificates
    out = settings.mail.out if settings.mail else None
    named = [out.smarthost, *(route.smarthost for route in out.routes)] if out else []
    for smarthost in named:
        if smarthost is None:
            continue
        if smarthost.certificates is not None:
            yield "mail.out.smarthost.certificates", smarthost.certificates
        if smarthost.password_file is not None:
            yield "mail.out.smarthost.password_file", smarthost.password_file
