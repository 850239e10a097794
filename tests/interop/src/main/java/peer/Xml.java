package peer;

import java.io.StringReader;
import java.io.StringWriter;
import javax.xml.XMLConstants;
import javax.xml.namespace.NamespaceContext;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import javax.xml.xpath.XPathConstants;
import javax.xml.xpath.XPathExpressionException;
import javax.xml.xpath.XPathFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** One HL7 V3 message as a tree, asked by XPath with {@code h:} for urn:hl7-org:v3. */
final class Xml {
    private static final NamespaceContext HL7 = new NamespaceContext() {
        @Override
        public String getNamespaceURI(String prefix) {
            return prefix.equals("h") ? "urn:hl7-org:v3" : XMLConstants.NULL_NS_URI;
        }

        @Override
        public String getPrefix(String uri) {
            throw new UnsupportedOperationException();
        }

        @Override
        public java.util.Iterator<String> getPrefixes(String uri) {
            throw new UnsupportedOperationException();
        }
    };

    private final Document document;

    private Xml(Document document) {
        this.document = document;
    }

    static Xml parse(String message) throws Exception {
        var factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return new Xml(factory.newDocumentBuilder().parse(new InputSource(new StringReader(message))));
    }

    /** The text or attribute value found, empty if none. */
    String text(String path) throws XPathExpressionException {
        return (String) evaluate(path, XPathConstants.STRING);
    }

    int count(String path) throws XPathExpressionException {
        return ((NodeList) evaluate(path, XPathConstants.NODESET)).getLength();
    }

    /** The element found, written out. */
    String written(String path) throws Exception {
        var node = (Node) evaluate(path, XPathConstants.NODE);
        var transformer = TransformerFactory.newInstance().newTransformer();
        transformer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
        var out = new StringWriter();
        transformer.transform(new DOMSource(node), new StreamResult(out));
        return out.toString();
    }

    private Object evaluate(String path, javax.xml.namespace.QName kind)
            throws XPathExpressionException {
        var xpath = XPathFactory.newInstance().newXPath();
        xpath.setNamespaceContext(HL7);
        return xpath.evaluate(path, document, kind);
    }

    static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
    }
}
