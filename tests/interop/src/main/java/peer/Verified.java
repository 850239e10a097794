package peer;

import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.cxf.helpers.CastUtils;
import org.apache.cxf.jaxws.context.WebServiceContextImpl;
import org.apache.cxf.jaxws.context.WrappedMessageContext;
import org.apache.cxf.message.Message;
import org.apache.cxf.phase.PhaseInterceptorChain;
import org.apache.wss4j.common.saml.SamlAssertionWrapper;
import org.apache.wss4j.dom.WSConstants;
import org.apache.wss4j.dom.engine.WSSecurityEngineResult;
import org.apache.wss4j.dom.handler.WSHandlerConstants;
import org.apache.wss4j.dom.handler.WSHandlerResult;

/** What WSS4J verified in a message, read back from its results. */
final class Verified {
    private static final Map<Integer, String> NAMES = Map.of(
            WSConstants.TS, "Timestamp",
            WSConstants.SC, "SignatureConfirmation",
            WSConstants.SIGN, "Signature",
            WSConstants.ST_SIGNED, "Assertion");

    private Verified() {}

    static List<String> parts(Message message) {
        var names = new TreeSet<String>();
        for (var result : results(message)) {
            var action = (Integer) result.get(WSSecurityEngineResult.TAG_ACTION);
            names.add(NAMES.getOrDefault(action, "action " + action));
        }
        return List.copyOf(names);
    }

    /** The attributes of the request being served. */
    static Map<String, String> asker() {
        for (var result : results(served())) {
            if (Integer.valueOf(WSConstants.ST_SIGNED)
                    .equals(result.get(WSSecurityEngineResult.TAG_ACTION))) {
                return AssertionRules.said((SamlAssertionWrapper)
                        result.get(WSSecurityEngineResult.TAG_SAML_ASSERTION));
            }
        }
        throw new IllegalStateException("A request was served without an assertion");
    }

    /** A deferred answer is worked on in a thread that has no message, only its context. */
    private static Message served() {
        var current = PhaseInterceptorChain.getCurrentMessage();
        if (current != null) {
            return current;
        }
        var context = (WrappedMessageContext) new WebServiceContextImpl().getMessageContext();
        return context.getWrappedMessage();
    }

    private static List<WSSecurityEngineResult> results(Message message) {
        List<WSHandlerResult> all =
                CastUtils.cast((List<?>) message.get(WSHandlerConstants.RECV_RESULTS));
        return all == null || all.isEmpty() ? List.of() : all.get(0).getResults();
    }
}
