package peer;

import java.util.List;
import javax.xml.crypto.XMLStructure;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import org.apache.wss4j.common.token.DOMX509Data;
import org.apache.wss4j.common.token.DOMX509IssuerSerial;
import org.apache.wss4j.common.token.Reference;
import org.apache.wss4j.common.token.SecurityTokenReference;
import org.w3c.dom.Element;

/** The ways in which a signature may name its key; none of them is signed. */
final class KeyNames {
    private static final KeyInfoFactory FACTORY = KeyInfoFactory.getInstance("DOM");

    private KeyNames() {}

    /** Has {@code signature} name its key as XML Signature 1.1: 4.5 or WSS 1.1: 7 allow. */
    static void rename(Element signature, String form, Keys keys) throws Exception {
        var parent = (Element) signature.getParentNode();
        Dom.children(signature, Dom.DS, "KeyInfo").forEach(Dom::remove);
        var certificate = keys.certificate();
        switch (form) {
            case "none" -> { }
            case "key-value" -> add(signature, FACTORY.newKeyValue(certificate.getPublicKey()));
            case "x509-certificate" -> add(signature, FACTORY.newX509Data(List.of(certificate)));
            case "x509-subject" -> add(signature, FACTORY.newX509Data(List.of(
                    certificate.getSubjectX500Principal().getName())));
            case "x509-ski" -> add(signature, FACTORY.newX509Data(List.of(
                    keys.crypto().getSKIBytesFromCert(certificate))));
            case "x509-issuer-serial" -> add(signature, FACTORY.newX509Data(List.of(
                    FACTORY.newX509IssuerSerial(certificate.getIssuerX500Principal().getName(),
                            certificate.getSerialNumber()))));
            default -> refer(signature, form, keys,
                    ((Element) parent.getElementsByTagNameNS(Dom.SAML, "Assertion").item(0))
                            .getAttribute("ID"));
        }
    }

    private static void refer(Element signature, String form, Keys keys, String assertionId)
            throws Exception {
        var document = signature.getOwnerDocument();
        var certificate = keys.certificate();
        var reference = new SecurityTokenReference(document);
        switch (form) {
            case "str-saml-id" -> {
                reference.setKeyIdentifier("http://docs.oasis-open.org/wss/"
                        + "oasis-wss-saml-token-profile-1.1#SAMLID", assertionId);
                reference.addTokenType("http://docs.oasis-open.org/wss/"
                        + "oasis-wss-saml-token-profile-1.1#SAMLV2.0");
            }
            case "str-reference" -> {
                var direct = new Reference(document);
                direct.setURI("#" + assertionId);
                reference.setReference(direct);
            }
            case "str-ski" -> reference.setKeyIdentifierSKI(certificate, keys.crypto());
            case "str-thumbprint" -> reference.setKeyIdentifierThumb(certificate);
            case "str-certificate" -> reference.setKeyIdentifier(certificate);
            case "str-issuer-serial" -> reference.setUnknownElement(new DOMX509Data(document,
                    new DOMX509IssuerSerial(document,
                            certificate.getIssuerX500Principal().getName(),
                            certificate.getSerialNumber())).getElement());
            default -> throw new IllegalArgumentException("No such form of KeyInfo: " + form);
        }
        var keyInfo = document.createElementNS(Dom.DS, "ds:KeyInfo");
        keyInfo.appendChild(reference.getElement());
        append(signature, keyInfo);
    }

    private static void add(Element signature, XMLStructure item) throws Exception {
        var holder = signature.getOwnerDocument().createElement("holder");
        FACTORY.newKeyInfo(List.of(item)).marshal(new DOMStructure(holder), null);
        append(signature, (Element) holder.getFirstChild());
    }

    /** Behind the SignatureValue, before any Object. */
    private static void append(Element signature, Element keyInfo) {
        var value = Dom.child(signature, Dom.DS, "SignatureValue");
        signature.insertBefore(keyInfo, value.getNextSibling());
    }
}
