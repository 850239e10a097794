package peer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;

/** One JSON object a line on standard output: all that the Python side reads. */
final class Report {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private Report() {}

    static synchronized void line(Map<String, ?> said) {
        try {
            System.out.println(MAPPER.writeValueAsString(said));
            System.out.flush();
        } catch (JsonProcessingException problem) {
            throw new IllegalStateException(problem);
        }
    }

    /** What the responder served, and for whom by the verified assertion. */
    static void served(String step, String outcome, Map<String, String> asker) {
        line(Map.of(
                "step", step, "outcome", outcome,
                "subject", asker.get(Assertion.SUBJECT_ID),
                "home", asker.get(Assertion.HOME_COMMUNITY),
                "role", asker.get(Assertion.ROLE),
                "purpose", asker.get(Assertion.PURPOSE)));
    }
}
