package peer;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.xml.ws.soap.SOAPFaultException;
import org.apache.cxf.frontend.ClientProxy;
import org.apache.cxf.message.Message;
import org.apache.cxf.ws.policy.PolicyException;
import org.apache.wss4j.common.ext.WSSecurityException;
import org.openehealth.ipf.commons.core.modules.api.ValidationException;

/** One transaction, and the line it leaves on standard output whatever becomes of it. */
final class Step {
    private Step() {}

    @FunctionalInterface
    interface Work<T> {
        T run(Map<String, Object> said) throws Exception;
    }

    /** The result, or null after a failure that was reported. */
    static <T> T take(String name, Work<T> work) {
        var said = new LinkedHashMap<String, Object>();
        said.put("step", name);
        T result = null;
        try {
            result = work.run(said);
        } catch (Exception problem) {
            said.putAll(failure(problem));
        }
        Report.line(said);
        return result;
    }

    /** What WSS4J verified in the answer, and how the answer came. */
    static void noteSecurity(Object port, Map<String, Object> said) {
        var context = ClientProxy.getClient(port).getResponseContext();
        said.put("security", context.get(ConfirmationRules.PARTS));
        var headers = (Map<?, ?>) context.get(Message.PROTOCOL_HEADERS);
        for (var header : headers.entrySet()) {
            if ("content-type".equalsIgnoreCase(String.valueOf(header.getKey()))) {
                said.put("content_type", ((List<?>) header.getValue()).get(0));
            }
        }
    }

    private static Map<String, Object> failure(Exception problem) {
        for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
            if (cause instanceof WSSecurityException || cause instanceof PolicyException
                    || cause instanceof ConfirmationRules.Unbelievable
                    || cause instanceof ValidationException) {
                return Map.of("outcome", "refused here", "reason", reason(cause));
            }
        }
        for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
            if (cause instanceof IOException) {
                return Map.of("outcome", "connection failed", "reason", reason(cause));
            }
        }
        if (problem instanceof SOAPFaultException said) {
            var fault = said.getFault();
            return Map.of("outcome", "fault",
                    "code", fault.getFaultCodeAsQName().getLocalPart(),
                    "reason", String.valueOf(fault.getFaultString()));
        }
        return Map.of("outcome", "failed", "reason", reason(problem));
    }

    private static String reason(Throwable problem) {
        var root = problem;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root.getClass().getSimpleName() + ": " + root.getMessage();
    }
}
