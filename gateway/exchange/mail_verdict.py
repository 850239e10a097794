"""One page a message: who signed, bound how, by which chain, seen as unrevoked when, what refused.

The form is kept sealed with the message. Of the stored message `evidence` makes files with which
anyone who has plain openssl can check the signature and the chain again, without us.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.exchange.mail_judging import Judged
from gateway.exchange.mail_letter import Letter
from gateway.exchange.mail_sealing import OpenedMail, SignedContent


def verdict_form(
    letter: Letter | None, opened: OpenedMail | None, judged: Sequence[Judged], *, at: datetime
) -> dict[str, Any]:
    """What was found out about a message, as far as it could be opened, as JSON."""
    form: dict[str, Any] = {"at": at.isoformat()}
    if letter is not None:
        form |= {
            "from": letter.from_,
            "message_id": letter.message_id,
            "wrapped": letter.is_wrapped,
            "blind": list(letter.blind),
            "differences": list(letter.differences),
            "defects": list(letter.defects),
            "is_notice": letter.report is not None,
            "no_notice": letter.no_notice,
        }
    if opened is not None:
        form |= {
            "algorithms": str(opened.algorithms),
            "signature_form": opened.form,
            "detached": opened.is_detached,
            "passed_over": list(opened.passed_over),
        }
    form["recipients"] = [_judged_form(one) for one in judged]
    return form


def _judged_form(judged: Judged) -> dict[str, Any]:
    verdict = judged.verdict
    certificate = x509.load_der_x509_certificate(judged.signer.certificate)
    return {
        "recipient": judged.recipient,
        "trusted": verdict.trusted,
        "refusals": [
            {"rule": str(refusal.rule), "text": refusal.text} for refusal in verdict.refusals
        ],
        "remarks": list(verdict.remarks),
        "binding": None if verdict.binding is None else str(verdict.binding),
        "signer": _certificate_form(certificate),
        "signed": judged.signer.signing_time and judged.signer.signing_time.isoformat(),
        "anchor": None if verdict.anchor is None else verdict.anchor.source,
        "chain": [_certificate_form(one) for one in verdict.chain],
        "revocation": [
            {
                "certificate": one.certificate.subject.rfc4514_string(),
                "source": str(one.source),
                "since": one.since.isoformat(),
                "until": one.until.isoformat(),
            }
            for one in verdict.revocation
        ],
    }


def _certificate_form(certificate: x509.Certificate) -> dict[str, Any]:
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "sha256": certificate.fingerprint(SHA256()).hex(),
        "pem": certificate.public_bytes(Encoding.PEM).decode("ascii"),
    }


# ---- for people ------------------------------------------------------------------------------


def verdict_text(form: Mapping[str, Any]) -> str:
    """The page, as text."""
    lines = [
        f"From          {form.get('from') or 'unknown: it could not be opened'}",
        f"Message-ID    {form.get('message_id') or 'none'}",
        f"Judged        {form['at']}",
    ]
    if "algorithms" in form:
        lines.append(f"Algorithms    {form['algorithms']}")
        kind = "detached" if form["detached"] else "opaque"
        lines.append(f"Signature     {kind}, matched {form['signature_form']}")
    if "wrapped" in form:
        lines.append(f"Wrapped       {'yes' if form['wrapped'] else 'no'}")
    for name, label in (
        ("differences", "Outer header"),
        ("defects", "Defect"),
        ("passed_over", "Signature"),
        ("blind", "Blind copy to"),
    ):
        lines += [f"{label:<13} {text}" for text in form.get(name, ())]
    for judged in form["recipients"]:
        lines += ["", *_judged_lines(judged)]
    return "\n".join(lines) + "\n"


def _judged_lines(judged: Mapping[str, Any]) -> list[str]:
    signer = judged["signer"]
    lines = [
        f"For {judged['recipient']}: {'trusted' if judged['trusted'] else 'NOT trusted'}",
        f"  signer      {signer['subject']} (serial {signer['serial']})",
        f"  in force    {signer['not_before']} to {signer['not_after']}",
        f"  bound       {judged['binding'] or 'not to the sender'}",
        f"  anchor      {judged['anchor'] or 'none'}",
    ]
    lines += [f"  below       {one['subject']}" for one in judged["chain"][1:]]
    lines += [
        f"  unrevoked   {one['certificate']} as of {one['since']}, until {one['until']}"
        for one in judged["revocation"]
    ]
    lines += [f"  remark      {text}" for text in judged["remarks"]]
    lines += [f"  refused     {one['rule']}: {one['text']}" for one in judged["refusals"]]
    if judged["refusals"]:
        lines.append(f"  tell them   {what_to_tell(judged['refusals'])}")
    return lines


_TOLD: Final[Mapping[str, str]] = {
    "binding": "The certificate you signed with names neither the From address nor its exact "
    "domain in its subjectAltName; sign with one that does.",
    "validity": "The certificate you signed with is expired or not yet in force; renew it.",
    "strength": "Your key or signature algorithm is too weak; RSA needs 2048 bits, and SHA-1 is "
    "refused.",
    "usage": "The certificate you signed with may not be used for that; check its key usage.",
    "anchor": "Your certificate does not chain to a trust anchor that we have; tell us in which "
    "trust bundle your anchor is, or send it to us.",
    "chain": "A certificate between yours and the anchor is not valid.",
    "revoked": "Your certificate was revoked; sign with another.",
    "revocation_unknown": "We cannot find out whether your certificate was revoked; make its list "
    "or responder reachable by plain HTTP, or put one into the certificate.",
}


def what_to_tell(refusals: Sequence[Mapping[str, str]]) -> str:
    """What the other HISP should be told, in a sentence for its own people."""
    told = dict.fromkeys(
        _TOLD.get(one["rule"], f"We refuse your certificate: {one['text']}.") for one in refusals
    )
    return " ".join(told)


# ---- for openssl -----------------------------------------------------------------------------

_HOW: Final = """\
The signature over the message's content, and the chain of its signer, checked with openssl alone,
as of {at}, when the message was judged: certificates run out, and what they signed stays signed.

  openssl cms -verify -binary -inform DER -in signature.p7s -content content.mime \\
      -CAfile anchor.pem -certfile chain.pem -purpose any -partial_chain -attime {seconds} \\
      -out /dev/null
  openssl verify -partial_chain -attime {seconds} -CAfile anchor.pem -untrusted chain.pem signer.pem
"""


def evidence(
    opened: OpenedMail, signed: SignedContent, form: Mapping[str, Any]
) -> dict[str, bytes]:
    """Files by name: the signed content, its signature, who signed, the chain and its anchor."""
    judged = next((one for one in form["recipients"] if one["trusted"]), form["recipients"][0])
    chain = [one["pem"] for one in judged["chain"]] or [judged["signer"]["pem"]]
    came = [one.public_bytes(Encoding.PEM).decode("ascii") for one in opened.certificates]
    between = dict.fromkeys((*chain[1:-1], *came))
    judged_at = datetime.fromisoformat(form["at"])
    return {
        "content.mime": signed.content,
        "signature.p7s": signed.signature,
        "signer.pem": judged["signer"]["pem"].encode(),
        "chain.pem": "".join(between).encode(),
        "anchor.pem": chain[-1].encode(),
        "verdict.txt": verdict_text(form).encode(),
        "README.txt": _HOW.format(at=form["at"], seconds=int(judged_at.timestamp())).encode(),
    }
