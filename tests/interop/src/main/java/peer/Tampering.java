package peer;

import java.util.Arrays;
import java.util.Set;
import javax.xml.soap.SOAPMessage;
import org.apache.cxf.binding.soap.SoapMessage;
import org.apache.cxf.binding.soap.interceptor.AbstractSoapInterceptor;
import org.apache.cxf.binding.soap.saaj.SAAJOutInterceptor;
import org.apache.cxf.helpers.CastUtils;
import org.apache.cxf.interceptor.Fault;
import org.apache.cxf.phase.Phase;
import org.apache.wss4j.dom.handler.WSHandlerConstants;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** Changes a message after WSS4J has signed it, and before it is written. */
final class Tampering extends AbstractSoapInterceptor {
    @FunctionalInterface
    interface Change {
        void to(Document envelope) throws Exception;
    }

    private final Change change;

    Tampering(Change change) {
        super(Phase.PRE_PROTOCOL_ENDING);
        // Between WSS4J, which works in the phase before, and the writing of the finished tree.
        addBefore(SAAJOutInterceptor.SAAJOutEndingInterceptor.class.getName());
        this.change = change;
    }

    @Override
    public void handleMessage(SoapMessage message) {
        try {
            var envelope = message.getContent(SOAPMessage.class).getSOAPPart();
            change.to(envelope);
            remember(message, envelope);
        } catch (Exception problem) {
            throw new Fault(problem);
        }
    }

    /** Who really sends such a message waits for the confirmation of what it sent. */
    private static void remember(SoapMessage message, Document envelope) {
        Set<Integer> remembered =
                CastUtils.cast((Set<?>) message.getExchange().get(WSHandlerConstants.SEND_SIGV));
        if (remembered == null) {
            return;
        }
        remembered.clear();
        for (Element security : Dom.all(envelope, Dom.WSSE, "Security")) {
            for (Element signature : Dom.children(security, Dom.DS, "Signature")) {
                remembered.add(Arrays.hashCode(Dom.signatureValue(signature)));
            }
        }
    }
}
