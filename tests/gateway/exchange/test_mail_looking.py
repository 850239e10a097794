"""One page a message: what it says, and that plain openssl comes to the same finding."""

import shlex
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from direct.addresses import Mailbox
from direct.message import OutgoingPart, outer_headers, wrap, write_message
from direct.smime import SigningIdentity, seal
from gateway.exchange.mail_looking import NoEvidence, load_verdict, make_evidence, page
from gateway.model.identity import MailId
from gateway.model.received_mail import ReceivedMail
from gateway.store import mail_received
from tests.direct_certificates import MailAuthority
from tests.gateway.exchange.direct_certificates import certified
from tests.gateway.exchange.post_offices import Office, Town, office
from tests.gateway.house import PLAN, demo_document

DOMAIN, DOCTOR = "direct.plan.test", "anne@direct.clinic.test"
INTAKE = f"intake@{DOMAIN}"


@pytest.fixture
async def plan(tmp_path: Path) -> AsyncIterator[Office]:
    async with office(tmp_path / "plan", DOMAIN, Town()) as opened:
        yield opened


async def judged(
    plan: Office,
    signer: str = "direct.clinic.test",
    by: str = "Direct test anchor",
    *,
    identity: SigningIdentity | None = None,
    mail_from: str = DOCTOR,
) -> ReceivedMail:
    part = OutgoingPart(demo_document("northfield_ccd.xml"), "text/xml", "ccd.xml")
    content = write_message(
        from_=Mailbox.parse(DOCTOR),
        to=[Mailbox.parse(INTAKE)],
        message_id="push-1@direct.clinic.test",
        date=plan.now,
        parts=[part],
    )
    identity = identity or SigningIdentity(*certified(signer, by))
    message = seal(
        wrap(content),
        headers=[one for one in outer_headers(content) if one[0] != "MIME-Version"],
        signer=identity,
        recipients=[certified(DOMAIN)[1]],
    )
    return await spooled(plan, message, mail_from)


async def spooled(plan: Office, message: bytes, mail_from: str = DOCTOR) -> ReceivedMail:
    mail: MailId = await plan.spool(message, (INTAKE,), mail_from)
    await plan.work()
    found = plan.house.database.read(lambda tx: mail_received.get(tx, plan=PLAN, message=mail))
    assert found is not None
    return found


def openssl(folder: Path, *arguments: str) -> tuple[int, str]:
    run = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True)
    return run.returncode, run.stderr + run.stdout


def as_told(files: dict[str, bytes]) -> list[list[str]]:
    """The arguments of the very commands that the folder's own README gives."""
    lines = files["README.txt"].decode().replace("\\\n", " ").splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith("  openssl")]


def save(plan: Office, mail: ReceivedMail, folder: Path) -> dict[str, bytes]:
    form = load_verdict(plan.means, mail)
    assert form is not None
    files = make_evidence(plan.means, mail, form)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return files


async def test_openssl_alone_verifies_what_we_found_trusted(plan: Office, tmp_path: Path) -> None:
    mail = await judged(plan)
    folder = tmp_path / "evidence"
    folder.mkdir()
    files = save(plan, mail, folder)
    told = as_told(files)
    assert [one[0] for one in told] == ["cms", "verify"]
    for arguments in told:
        code, said = openssl(folder, *arguments)
        assert code == 0, said
    assert files["message.eml"] == plan.house.archive.load(PLAN, mail.blob)


async def test_openssl_verifies_it_still_when_the_certificates_have_run_out(
    plan: Office, tmp_path: Path
) -> None:
    plan.now = datetime.now(UTC) - timedelta(days=900)
    issuer = MailAuthority("Long ago", plan.now)
    plan.trusts = {"": [issuer.certificate]}
    leaf = issuer.leaf("direct.clinic.test", crl=False)
    mail = await judged(plan, identity=SigningIdentity(leaf.key, leaf.certificate))
    assert mail.state == "filed"
    folder = tmp_path / "evidence"
    folder.mkdir()
    for arguments in as_told(save(plan, mail, folder)):
        code, said = openssl(folder, *arguments)
        assert code == 0, said


async def test_openssl_refuses_what_was_altered_and_whom_we_do_not_trust(
    plan: Office, tmp_path: Path
) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    verify = as_told(save(plan, await judged(plan), folder))[0]
    content = (folder / "content.mime").read_bytes()
    (folder / "content.mime").write_bytes(content + b"x")
    assert openssl(folder, *verify)[0] != 0
    (folder / "content.mime").write_bytes(content)
    stranger = certified("elsewhere.test", "Nobody's anchor")[1]
    (folder / "anchor.pem").write_bytes(stranger.public_bytes(Encoding.PEM))
    assert openssl(folder, *verify)[0] != 0


async def test_the_page_of_a_filed_message_says_who_signed_and_what_was_answered(
    plan: Office,
) -> None:
    mail = await judged(plan)
    form = load_verdict(plan.means, mail)
    assert form is not None
    (recipient,) = form["recipients"]
    assert (recipient["trusted"], recipient["binding"]) == (True, "domain")
    assert recipient["anchor"] == "by hand"
    assert len(form["documents"]) == len(form["answers"]) == 1
    text = page(form)
    assert f"From          {DOCTOR}" in text
    assert f"For {INTAKE}: trusted" in text
    assert "aes256-cbc, rsa-oaep-sha1, sha256" in text
    # Nobody is published there, so that it could not leave.
    assert f"Answered      processed by {INTAKE} to {DOCTOR}, failed since" in text
    assert ": it publishes no certificate\n" in text


async def test_the_page_of_a_refused_message_names_the_rule_and_what_to_tell_them(
    plan: Office,
) -> None:
    mail = await judged(plan, by="Nobody's anchor")
    form = load_verdict(plan.means, mail)
    assert form is not None
    text = page(form)
    assert "State         quarantined: " in text
    assert "NOT trusted" in text
    assert "  refused     anchor: " in text
    assert "tell us in which trust bundle your anchor is" in text
    assert "Answered      no: nobody is answered who is not trusted" in text
    wrong = await judged(plan, "bob@direct.clinic.test")
    form = load_verdict(plan.means, wrong)
    assert form is not None
    assert "  refused     binding: " in page(form)


@pytest.mark.parametrize(
    ("mail_from", "times", "why"),
    [
        ("", 1, "the envelope has the null sender"),
        (DOCTOR, 2, "the message that came before was"),
    ],
    ids=["null sender", "duplicate"],
)
async def test_the_page_says_why_a_trusted_message_is_not_answered(
    plan: Office, mail_from: str, times: int, why: str
) -> None:
    for _ in range(times):
        mail = await judged(plan, mail_from=mail_from)
    form = load_verdict(plan.means, mail)
    assert form is not None
    assert f"Answered      no: {why}\n" in page(form)


async def test_what_does_not_open_has_a_page_and_no_evidence(plan: Office) -> None:
    mail = await spooled(plan, b"nonsense")
    form = load_verdict(plan.means, mail)
    assert form is not None
    assert "unknown: it could not be opened" in page(form)
    with pytest.raises(NoEvidence):
        make_evidence(plan.means, mail, form)
