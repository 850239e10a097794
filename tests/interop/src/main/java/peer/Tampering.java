package peer;

import java.io.ByteArrayOutputStream;
import java.security.Signature;
import java.util.Arrays;
import java.util.Base64;
import java.util.Set;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.binding.soap.interceptor.AbstractSoapInterceptor;
import org.apache.cxf.binding.soap.saaj.SAAJOutInterceptor;
import org.apache.cxf.helpers.CastUtils;
import org.apache.cxf.interceptor.Fault;
import org.apache.cxf.phase.Phase;
import org.apache.wss4j.dom.handler.WSHandlerConstants;
import org.apache.xml.security.c14n.Canonicalizer;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** Spoils a message after it was signed, in one named way, to show that the other side notices. */
final class Tampering extends AbstractSoapInterceptor {
    static final Set<String> AFTER_SIGNING = Set.of(
            "altered-assertion", "altered-timestamp", "other-key", "no-security", "invalid-body",
            "without-confirmation", "without-security");

    private static final String WSSE = "http://docs.oasis-open.org/wss/2004/01/"
            + "oasis-200401-wss-wssecurity-secext-1.0.xsd";
    private static final String WSSE11 =
            "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd";
    private static final String WSU = "http://docs.oasis-open.org/wss/2004/01/"
            + "oasis-200401-wss-wssecurity-utility-1.0.xsd";
    private static final String SAML = "urn:oasis:names:tc:SAML:2.0:assertion";
    private static final String SOAP = "http://www.w3.org/2003/05/soap-envelope";
    private static final String DS = "http://www.w3.org/2000/09/xmldsig#";

    private final String kind;
    private final Keys other;

    /** {@code other} is the key of {@code other-key}, else null. */
    Tampering(String kind, Keys other) {
        super(Phase.PRE_PROTOCOL_ENDING);
        // Between WSS4J, which works in the phase before, and the writing of the finished tree.
        addBefore(SAAJOutInterceptor.SAAJOutEndingInterceptor.class.getName());
        this.kind = kind;
        this.other = other;
    }

    @Override
    public void handleMessage(SoapMessage message) {
        try {
            spoil(message);
        } catch (Exception problem) {
            throw new Fault(problem);
        }
    }

    private void spoil(SoapMessage message) throws Exception {
        var document = message.getContent(javax.xml.soap.SOAPMessage.class).getSOAPPart();
        switch (kind) {
            case "altered-assertion" -> alterPurpose(document);
            case "altered-timestamp" -> one(document, WSU, "Expires")
                    .setTextContent("2099-01-01T00:00:00.000Z");
            case "other-key" -> remember(message, Set.of(signTimestampWithOtherKey(document)));
            case "without-confirmation" -> remove(one(document, WSSE11, "SignatureConfirmation"));
            case "no-security" -> {
                remove(one(document, WSSE, "Security"));
                remember(message, Set.of());
            }
            case "without-security" -> remove(one(document, WSSE, "Security"));
            case "invalid-body" -> addNonsense(document);
            default -> throw new IllegalArgumentException("No such tampering: " + kind);
        }
    }

    private static void alterPurpose(Document document) {
        one(document, "urn:hl7-org:v3", "PurposeOfUse").setAttribute("code", "EMERGENCY");
    }

    /** The body is not signed: this one is for the schema to find. */
    private static void addNonsense(Document document) {
        var root = (Element) one(document, SOAP, "Body").getFirstChild();
        root.appendChild(document.createElementNS(root.getNamespaceURI(), "nonsense"));
    }

    /** What a thief of an assertion could do: all is right but the key. */
    private byte[] signTimestampWithOtherKey(Document document) throws Exception {
        var signature = lastChild(one(document, WSSE, "Security"), DS, "Signature");
        var signedInfo = (Element) signature.getElementsByTagNameNS(DS, "SignedInfo").item(0);
        var canonical = new ByteArrayOutputStream();
        Canonicalizer.getInstance(Canonicalizer.ALGO_ID_C14N_EXCL_OMIT_COMMENTS)
                .canonicalizeSubtree(signedInfo, prefixes(signedInfo), canonical);
        var signer = Signature.getInstance("SHA256withRSA");
        signer.initSign(other.privateKey());
        signer.update(canonical.toByteArray());
        var value = signer.sign();
        signature.getElementsByTagNameNS(DS, "SignatureValue").item(0)
                .setTextContent(Base64.getEncoder().encodeToString(value));
        return value;
    }

    /** Who really sends such a message waits for the confirmation of what it sent. */
    private static void remember(SoapMessage message, Set<byte[]> signatures) {
        Set<Integer> remembered =
                CastUtils.cast((Set<?>) message.getExchange().get(WSHandlerConstants.SEND_SIGV));
        remembered.clear();
        signatures.forEach(signature -> remembered.add(Arrays.hashCode(signature)));
    }

    private static String prefixes(Element signedInfo) {
        var method = (Element) signedInfo.getElementsByTagNameNS(DS, "CanonicalizationMethod").item(0);
        var inclusive = method.getElementsByTagNameNS("*", "InclusiveNamespaces");
        return inclusive.getLength() == 0
                ? "" : ((Element) inclusive.item(0)).getAttribute("PrefixList");
    }

    private static Element lastChild(Element parent, String namespace, String name) {
        for (var node = parent.getLastChild(); node != null; node = node.getPreviousSibling()) {
            if (namespace.equals(node.getNamespaceURI()) && name.equals(node.getLocalName())) {
                return (Element) node;
            }
        }
        throw new IllegalStateException("There is no " + name + " to spoil");
    }

    private static Element one(Document document, String namespace, String name) {
        var found = document.getElementsByTagNameNS(namespace, name);
        if (found.getLength() == 0) {
            throw new IllegalStateException("There is no " + name + " to spoil");
        }
        return (Element) found.item(0);
    }

    private static void remove(Element element) {
        element.getParentNode().removeChild(element);
    }
}
