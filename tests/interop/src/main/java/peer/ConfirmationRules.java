package peer;

import java.util.List;
import java.util.Map;
import org.apache.cxf.message.Message;
import org.apache.cxf.phase.AbstractPhaseInterceptor;
import org.apache.cxf.phase.Phase;

/** An answer is believed only with a Timestamp and the confirmation of what we signed. */
final class ConfirmationRules extends AbstractPhaseInterceptor<Message> {
    private final Map<String, Object> said;

    /** What WSS4J verified goes into {@code said}. */
    ConfirmationRules(Map<String, Object> said) {
        super(Phase.PRE_LOGICAL);
        this.said = said;
    }

    @Override
    public void handleMessage(Message message) {
        var parts = Verified.parts(message);
        if (!parts.containsAll(List.of("Timestamp", "SignatureConfirmation"))) {
            throw new Unbelievable("The answer's Security header holds only " + parts);
        }
        said.put("security", parts);
    }

    /** The answer came, and is not to be believed. */
    static final class Unbelievable extends RuntimeException {
        private static final long serialVersionUID = 1;

        Unbelievable(String reason) {
            super(reason);
        }
    }
}
