"""Security headers that WSS4J makes: in any right dress we take them, forged we do not.

Forgery.java and Assertion.java make each; none of them breaks TLS, which stands below all.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.interop import facts
from tests.interop.conftest import World
from tests.interop.our_gateway import OurGateway
from tests.interop.peer import Asked

MORE = "http://www.w3.org/2001/04/xmldsig-more#"
ENC = "http://www.w3.org/2001/04/xmlenc#"

# By what our auditor reads: a refusal for another reason would prove nothing.
FORGERIES = {
    "untrusted-issuer": "the signing certificate is not one pinned for this partner",
    "unsigned": "Assertion has not exactly one ds:Signature",
    "expired": "the assertion has expired",
    "not-yet-valid": "the assertion is not valid yet",
    "other-audience": "audience",
    "bearer": "the assertion confirms no holder of a key",
    "sha1-assertion": "",
    "sha1-assertion-digest": "",
    "altered-assertion": "",
    "altered-user": "",
    "altered-issuer": "",
    "altered-subject": "",
    "altered-conditions": "",
    "altered-timestamp": "",
    "emptied-digest": "",
    "emptied-signature": "",
    "other-key": "",
    "sha1-timestamp": "",
    "sha1-digest": "",
    "public-key-as-secret": "",
    "whole-envelope-signed": "",
    "nothing-referenced": "",
    "body-signed-instead": "",
    "xpath-transform": "",
    "no-timestamp": "Security has not exactly one wsu:Timestamp",
    "two-timestamps": "Security has not exactly one wsu:Timestamp",
    "no-signature-over-timestamp": "Security has not exactly one ds:Signature",
    "no-security": "there is not exactly one wsse:Security header",
    "two-securities": "there is not exactly one wsse:Security header",
    "comment-in-signature": "a Signature holds a comment",
    "wrapped-in-signature": "",
    "wrapped-in-body": "",
    "wrapped-in-evidence": "",
    "without-assertion": "Security has not exactly one saml2:Assertion",
    "wrapped-beside": "Security has not exactly one saml2:Assertion",
    "wrapped-before": "Security has not exactly one saml2:Assertion",
    "wrapped-in-forged": "",
    "wrapped-same-id": "",
    "wrapped-in-header": "",
    "wrapped-timestamp": "",
    "wrapped-timestamp-same-id": "",
}


@pytest.mark.parametrize("tamper", FORGERIES)
def test_a_forged_header_is_refused(world: World, our_responder: OurGateway, tamper: str) -> None:
    before = len(our_responder.records())
    asked = _ask(world, our_responder, tamper=tamper)
    assert asked.exit_code == 1, asked
    (step,) = asked.steps
    # WSS4J throws a fault away whose confirmations are not those of all that it sent.
    assert step["outcome"] in ("fault", "refused here"), step
    assert step.get("code", "Sender") == "Sender"
    (refused,) = our_responder.records()[before:]
    assert (refused.outcome, refused.count, refused.member) == ("refused", 1, None)
    # Ours is in words, for the auditor; the peer's tells nothing that helps to forge.
    assert refused.reason and refused.reason not in step["reason"]
    assert FORGERIES[tamper] in refused.reason, refused.reason


@pytest.mark.parametrize("at", ["ITI-38", "ITI-39"])
@pytest.mark.parametrize("tamper", ["altered-assertion", "other-key", "wrapped-in-forged"])
def test_a_forged_header_is_refused_at_every_door(
    world: World, our_responder: OurGateway, whole: Asked, tamper: str, at: str
) -> None:
    asked = _ask(world, our_responder, tamper=tamper, tamper_at=at)
    assert asked.exit_code == 1, asked
    assert asked.steps[-1]["step"].split()[0] == at
    assert asked.steps[-1]["outcome"] in ("fault", "refused here"), asked


def test_an_assertion_of_another_community_for_itself_is_refused(
    world: World, our_responder: OurGateway
) -> None:
    another = world.certificates.responder.signing.store
    asked = _ask(world, our_responder, tamper="untrusted-issuer", other_store=str(another))
    assert (asked.exit_code, asked.outcomes) == (1, (("ITI-55", "fault"),))


# ---- other dress -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(world: World, our_responder: OurGateway) -> Asked:
    our_responder.file(facts.DOCUMENT)
    return _ask(world, our_responder)


@pytest.mark.parametrize(
    "options",
    [
        *({"signature": f"{MORE}rsa-sha{bits}"} for bits in (256, 384, 512)),
        {"digest": f"{MORE}sha384"},
        {"digest": f"{ENC}sha512", "signature": f"{MORE}rsa-sha512"},
        *(
            {"key_info": form}
            for form in (
                "none",
                "key-value",
                "x509-certificate",
                "x509-subject",
                "x509-ski",
                "x509-issuer-serial",
                "str-saml-id",
                "str-reference",
                "str-ski",
                "str-thumbprint",
                "str-certificate",
                "str-issuer-serial",
            )
        ),
        *(
            {"assertion_key_info": form}
            for form in ("key-value", "x509-certificate", "x509-ski", "x509-issuer-serial", "none")
        ),
    ],
    ids=lambda options: " ".join(value.rpartition("#")[2] for value in options.values()),
)
def test_another_algorithm_or_name_of_the_key_is_taken(
    world: World, our_responder: OurGateway, whole: Asked, options: Mapping[str, str]
) -> None:
    asked = _ask(world, our_responder, **options)
    assert asked.exit_code == 0, asked
    assert asked.outcomes == whole.outcomes


# Ours go out with RSA here: CXF's policy takes no other key, whoever made the signature.
@pytest.mark.parametrize(("curve", "bits"), [("p256", 256), ("p384", 384), ("p521", 512)])
def test_an_elliptic_key_is_taken(world: World, curve: str, bits: int) -> None:
    signing = world.certificates.on_curves[curve]
    party = replace(world.certificates.initiator, signing=signing)
    method = f"{MORE}ecdsa-sha{bits}"
    with world.our_responder(f"our-{curve}", initiator=party) as ours:
        ours.file(facts.DOCUMENT)
        asked = _ask(world, ours, party=party, native_signature=method)
        assert asked.exit_code == 0, asked
        refused = _ask(
            world, ours, party=party, native_signature=method, tamper="altered-assertion"
        )
        assert refused.outcomes == (("ITI-55", "fault"),)


def _ask(world: World, ours: OurGateway, **arguments: Any) -> Asked:
    return world.java_initiator(
        ours.addresses, facts_file=world.initiator_of_ours_facts, **arguments
    )
