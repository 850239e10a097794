package peer;

import java.util.List;
import org.apache.cxf.message.Message;
import org.apache.cxf.phase.AbstractPhaseInterceptor;
import org.apache.cxf.phase.Phase;

/** An answer is believed only with a Timestamp and the confirmation of what we signed. */
final class ConfirmationRules extends AbstractPhaseInterceptor<Message> {
    static final String PARTS = ConfirmationRules.class.getName();

    ConfirmationRules() {
        super(Phase.PRE_LOGICAL);
    }

    @Override
    public void handleMessage(Message message) {
        var parts = Verified.parts(message);
        if (!parts.containsAll(List.of("Timestamp", "SignatureConfirmation"))) {
            throw new Unbelievable("The answer's Security header holds only " + parts);
        }
        message.put(PARTS, parts);
    }

    /** The answer came, and is not to be believed. */
    static final class Unbelievable extends RuntimeException {
        private static final long serialVersionUID = 1;

        Unbelievable(String reason) {
            super(reason);
        }
    }
}
