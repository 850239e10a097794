package peer;

import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** Elements of an envelope, by namespace and name. */
final class Dom {
    static final String SOAP = "http://www.w3.org/2003/05/soap-envelope";
    static final String DS = "http://www.w3.org/2000/09/xmldsig#";
    static final String SAML = "urn:oasis:names:tc:SAML:2.0:assertion";
    static final String WSSE = "http://docs.oasis-open.org/wss/2004/01/"
            + "oasis-200401-wss-wssecurity-secext-1.0.xsd";
    static final String WSSE11 =
            "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd";
    static final String WSU = "http://docs.oasis-open.org/wss/2004/01/"
            + "oasis-200401-wss-wssecurity-utility-1.0.xsd";

    private Dom() {}

    static List<Element> all(Document document, String namespace, String name) {
        var found = document.getElementsByTagNameNS(namespace, name);
        var elements = new ArrayList<Element>();
        for (int i = 0; i < found.getLength(); i++) {
            elements.add((Element) found.item(i));
        }
        return elements;
    }

    static Element one(Document document, String namespace, String name) {
        return all(document, namespace, name).stream().findFirst()
                .orElseThrow(() -> new IllegalStateException("There is no " + name));
    }

    static List<Element> children(Element parent, String namespace, String name) {
        var elements = new ArrayList<Element>();
        for (Node node = parent.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (namespace.equals(node.getNamespaceURI()) && name.equals(node.getLocalName())) {
                elements.add((Element) node);
            }
        }
        return elements;
    }

    static Element child(Element parent, String namespace, String name) {
        return children(parent, namespace, name).stream().findFirst()
                .orElseThrow(() -> new IllegalStateException("There is no " + name));
    }

    static Element remove(Element element) {
        element.getParentNode().removeChild(element);
        return element;
    }

    static Element copy(Element element) {
        return (Element) element.cloneNode(true);
    }

    static byte[] signatureValue(Element signature) {
        return Base64.getMimeDecoder()
                .decode(child(signature, DS, "SignatureValue").getTextContent());
    }
}
