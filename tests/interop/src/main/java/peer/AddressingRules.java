package peer;

import java.util.List;
import javax.xml.namespace.QName;
import org.apache.cxf.binding.soap.Soap12;
import org.apache.cxf.binding.soap.SoapFault;
import org.apache.cxf.binding.soap.SoapHeader;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.binding.soap.interceptor.AbstractSoapInterceptor;
import org.apache.cxf.headers.Header;
import org.apache.cxf.phase.Phase;
import org.w3c.dom.Element;

/** The WS-Addressing headers an IHE request must carry; CXF alone would do without. */
final class AddressingRules extends AbstractSoapInterceptor {
    private static final String ADDRESSING = "http://www.w3.org/2005/08/addressing";
    private static final String ANONYMOUS = ADDRESSING + "/anonymous";

    private final String action;

    AddressingRules(String action) {
        super(Phase.PRE_PROTOCOL);
        this.action = action;
    }

    @Override
    public void handleMessage(SoapMessage message) {
        for (var name : List.of("To", "MessageID", "ReplyTo")) {
            header(message, name);
        }
        var said = header(message, "Action");
        if (!said.isMustUnderstand()) {
            throw refusal("wsa:Action is not marked mustUnderstand");
        }
        if (!action.equals(text(said))) {
            throw refusal("wsa:Action is not " + action);
        }
        var reply = text(header(message, "ReplyTo"));
        if (!ANONYMOUS.equals(reply) && !reply.startsWith("https://127.0.0.1:")) {
            throw refusal("wsa:ReplyTo is neither anonymous nor here");
        }
    }

    private static SoapHeader header(SoapMessage message, String name) {
        for (Header header : message.getHeaders()) {
            if (header.getName().equals(new QName(ADDRESSING, name))) {
                return (SoapHeader) header;
            }
        }
        throw refusal("There is no wsa:" + name);
    }

    private static String text(SoapHeader header) {
        return ((Element) header.getObject()).getTextContent().strip();
    }

    static SoapFault refusal(String reason) {
        return new SoapFault(reason, Soap12.getInstance().getSender());
    }
}
