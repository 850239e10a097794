package peer;

import static peer.Dom.DS;
import static peer.Dom.SAML;
import static peer.Dom.SOAP;
import static peer.Dom.WSSE;
import static peer.Dom.WSSE11;
import static peer.Dom.WSU;
import static peer.Dom.child;
import static peer.Dom.children;
import static peer.Dom.copy;
import static peer.Dom.one;
import static peer.Dom.remove;

import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** The ways in which a message of ours is spoiled after it was signed, by name. */
final class Forgery {
    private static final String ATTACK = "urn:example:attack";
    private static final String PURPOSE = "urn:hl7-org:v3";

    private final Keys own;
    private final Keys other;

    /** {@code other} is a key that nobody there expects. */
    Forgery(Keys own, Keys other) {
        this.own = own;
        this.other = other;
    }

    /** The named one, null if there is none of that name. */
    Tampering.Change named(String name) {
        return Map.<String, Tampering.Change>ofEntries(
                Map.entry("altered-assertion", this::alterPurpose),
                Map.entry("altered-user", envelope -> alterFirst(envelope, "AttributeValue")),
                Map.entry("altered-issuer", envelope -> alterFirst(envelope, "Issuer")),
                Map.entry("altered-subject", envelope -> alterFirst(envelope, "NameID")),
                Map.entry("altered-conditions", this::prolong),
                Map.entry("altered-timestamp", this::prolongTimestamp),
                Map.entry("emptied-digest", envelope ->
                        one(envelope, DS, "DigestValue").setTextContent("")),
                Map.entry("emptied-signature", envelope ->
                        one(envelope, DS, "SignatureValue").setTextContent("")),
                Map.entry("other-key", envelope -> Signing.again(timestampSignature(envelope), other)),
                Map.entry("sha1-timestamp", envelope -> Signing.anew(
                        timestampSignature(envelope), own, Signing.RSA_SHA1, Signing.SHA256, null)),
                Map.entry("sha1-digest", envelope -> Signing.anew(
                        timestampSignature(envelope), own, Signing.RSA_SHA256, Signing.SHA1, null)),
                Map.entry("public-key-as-secret", envelope -> Signing.withPublicKeyAsSecret(
                        timestampSignature(envelope), own)),
                Map.entry("whole-envelope-signed", envelope -> Signing.anew(
                        timestampSignature(envelope), own, Signing.RSA_SHA256, Signing.SHA256, "")),
                Map.entry("nothing-referenced", envelope -> Signing.withoutReference(
                        timestampSignature(envelope), own)),
                Map.entry("body-signed-instead", this::signBodyInstead),
                Map.entry("xpath-transform", envelope -> Signing.withXPath(
                        timestampSignature(envelope), own)),
                Map.entry("no-timestamp", envelope -> remove(one(envelope, WSU, "Timestamp"))),
                Map.entry("two-timestamps", this::secondTimestamp),
                Map.entry("no-signature-over-timestamp", envelope ->
                        remove(timestampSignature(envelope))),
                Map.entry("no-security", envelope -> remove(one(envelope, WSSE, "Security"))),
                Map.entry("two-securities", envelope -> security(envelope).getParentNode()
                        .appendChild(copy(security(envelope)))),
                Map.entry("without-assertion", envelope -> remove(assertion(envelope))),
                Map.entry("comment-in-signature", envelope -> {
                    var signature = timestampSignature(envelope);
                    signature.insertBefore(
                            signature.getOwnerDocument().createComment("x"),
                            signature.getFirstChild());
                }),
                Map.entry("wrapped-beside", this::forgedBeside),
                Map.entry("wrapped-before", this::forgedBefore),
                Map.entry("wrapped-in-forged", this::signedInsideForged),
                Map.entry("wrapped-in-signature", this::signedInObject),
                Map.entry("wrapped-same-id", this::forgedWithSameId),
                Map.entry("wrapped-in-header", this::signedInAnotherHeader),
                Map.entry("wrapped-in-body", this::signedInBody),
                Map.entry("wrapped-in-evidence", this::signedInEvidence),
                Map.entry("wrapped-timestamp", this::freshTimestamp),
                Map.entry("wrapped-timestamp-same-id", this::freshTimestampOfSameId),
                Map.entry("invalid-body", this::addNonsense),
                Map.entry("without-confirmation", envelope ->
                        remove(one(envelope, WSSE11, "SignatureConfirmation"))),
                Map.entry("without-security", envelope ->
                        remove(one(envelope, WSSE, "Security")))).get(name);
    }

    // ---- parts ---------------------------------------------------------------------------------

    private static Element security(Document envelope) {
        return one(envelope, WSSE, "Security");
    }

    private static Element assertion(Document envelope) {
        return child(security(envelope), SAML, "Assertion");
    }

    private static Element timestampSignature(Document envelope) {
        var signatures = children(security(envelope), DS, "Signature");
        return signatures.get(signatures.size() - 1);
    }

    // ---- values --------------------------------------------------------------------------------

    private void alterPurpose(Document envelope) {
        one(envelope, PURPOSE, "PurposeOfUse").setAttribute("code", "EMERGENCY");
    }

    private static void alterFirst(Document envelope, String name) {
        var element = one(envelope, SAML, name);
        element.setTextContent(element.getTextContent() + " Mallory");
    }

    private void prolong(Document envelope) {
        one(envelope, SAML, "Conditions").setAttribute("NotOnOrAfter", "2099-01-01T00:00:00.000Z");
    }

    private void prolongTimestamp(Document envelope) {
        one(envelope, WSU, "Expires").setTextContent("2099-01-01T00:00:00.000Z");
    }

    /** The body is not signed: this one is for the schema to find. */
    private void addNonsense(Document envelope) {
        var root = (Element) one(envelope, SOAP, "Body").getFirstChild();
        root.appendChild(envelope.createElementNS(root.getNamespaceURI(), "nonsense"));
    }

    private void signBodyInstead(Document envelope) throws Exception {
        one(envelope, SOAP, "Body").setAttributeNS(WSU, "wsu:Id", "the-body");
        one(envelope, SOAP, "Body").setIdAttributeNS(WSU, "Id", true);
        Signing.anew(timestampSignature(envelope), own, Signing.RSA_SHA256, Signing.SHA256,
                "#the-body");
    }

    // ---- wrapping ------------------------------------------------------------------------------

    /** A copy of the assertion that says another purpose, signed by nobody. */
    private Element forged(Document envelope) {
        var forged = copy(assertion(envelope));
        remove(child(forged, DS, "Signature"));
        forged.setAttribute("ID", "_forged");
        ((Element) forged.getElementsByTagNameNS(PURPOSE, "PurposeOfUse").item(0))
                .setAttribute("code", "EMERGENCY");
        return forged;
    }

    private void forgedBeside(Document envelope) {
        security(envelope).appendChild(forged(envelope));
    }

    private void forgedBefore(Document envelope) {
        security(envelope).insertBefore(forged(envelope), security(envelope).getFirstChild());
    }

    private void signedInsideForged(Document envelope) {
        var signed = assertion(envelope);
        var forged = forged(envelope);
        signed.getParentNode().replaceChild(forged, signed);
        forged.appendChild(signed);
    }

    private void signedInObject(Document envelope) {
        var signed = assertion(envelope);
        var forged = forged(envelope);
        signed.getParentNode().replaceChild(forged, signed);
        var signature = remove(child(signed, DS, "Signature"));
        forged.insertBefore(signature, child(forged, SAML, "Subject"));
        var object = signature.getOwnerDocument().createElementNS(DS, "ds:Object");
        signature.appendChild(object);
        object.appendChild(signed);
    }

    private void forgedWithSameId(Document envelope) {
        var signed = assertion(envelope);
        var forged = forged(envelope);
        forged.setAttribute("ID", signed.getAttribute("ID"));
        signed.getParentNode().replaceChild(forged, signed);
        forged.insertBefore(copy(child(signed, DS, "Signature")), child(forged, SAML, "Subject"));
        wrapper(envelope).appendChild(signed);
    }

    private void signedInAnotherHeader(Document envelope) {
        var signed = assertion(envelope);
        signed.getParentNode().replaceChild(forged(envelope), signed);
        wrapper(envelope).appendChild(signed);
    }

    private void signedInBody(Document envelope) {
        var signed = assertion(envelope);
        signed.getParentNode().replaceChild(forged(envelope), signed);
        one(envelope, SOAP, "Body").appendChild(signed);
    }

    private void signedInEvidence(Document envelope) {
        var signed = assertion(envelope);
        var forged = forged(envelope);
        signed.getParentNode().replaceChild(forged, signed);
        var decision = forged.getOwnerDocument().createElementNS(SAML, "saml2:AuthzDecisionStatement");
        var evidence = forged.getOwnerDocument().createElementNS(SAML, "saml2:Evidence");
        forged.appendChild(decision).appendChild(evidence).appendChild(signed);
    }

    private static Element wrapper(Document envelope) {
        return (Element) one(envelope, SOAP, "Header")
                .appendChild(envelope.createElementNS(ATTACK, "a:Wrapper"));
    }

    private static Element fresh(Document envelope) {
        var timestamp = copy(one(envelope, WSU, "Timestamp"));
        var now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        child(timestamp, WSU, "Created").setTextContent(now.toString());
        child(timestamp, WSU, "Expires").setTextContent(now.plusSeconds(299).toString());
        return timestamp;
    }

    private void secondTimestamp(Document envelope) {
        var timestamp = fresh(envelope);
        timestamp.setAttributeNS(WSU, "wsu:Id", "TS-forged");
        security(envelope).appendChild(timestamp);
    }

    private void freshTimestamp(Document envelope) {
        var signed = one(envelope, WSU, "Timestamp");
        var timestamp = fresh(envelope);
        timestamp.setAttributeNS(WSU, "wsu:Id", "TS-forged");
        signed.getParentNode().replaceChild(timestamp, signed);
        wrapper(envelope).appendChild(signed);
    }

    private void freshTimestampOfSameId(Document envelope) {
        var signed = one(envelope, WSU, "Timestamp");
        signed.getParentNode().replaceChild(fresh(envelope), signed);
        wrapper(envelope).appendChild(signed);
    }
}
