package peer;

import org.apache.cxf.message.Message;
import org.apache.cxf.phase.AbstractPhaseInterceptor;
import org.apache.cxf.phase.Phase;
import org.apache.cxf.ws.security.SecurityConstants;

/** What a request is signed with; set on the endpoint it would be demanded of the answer too. */
final class SignatureAlgorithm extends AbstractPhaseInterceptor<Message> {
    private final String uri;

    SignatureAlgorithm(String uri) {
        super(Phase.SETUP);
        this.uri = uri;
    }

    @Override
    public void handleMessage(Message message) {
        message.put(SecurityConstants.ASYMMETRIC_SIGNATURE_ALGORITHM, uri);
    }
}
