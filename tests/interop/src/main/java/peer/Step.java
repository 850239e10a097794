package peer;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.cxf.binding.soap.SoapFault;
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
        for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
            if (cause instanceof SoapFault fault) {
                return Map.of("outcome", "fault", "code", fault.getFaultCode().getLocalPart(),
                        "reason", String.valueOf(fault.getMessage()));
            }
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
