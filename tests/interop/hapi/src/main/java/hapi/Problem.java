package hapi;

import ca.uhn.fhir.validation.SingleValidationMessage;
import java.util.Map;

/** What the validator holds against a resource, and where in it. */
record Problem(String severity, String location, String message) {
    static Problem of(SingleValidationMessage said) {
        return new Problem(
                said.getSeverity().getCode(),
                String.valueOf(said.getLocationString()),
                String.valueOf(said.getMessage()));
    }

    /** As it is printed, with the line of the input that the resource stood on, from 0. */
    Map<String, Object> at(int line) {
        return Map.of("line", line, "severity", severity, "location", location, "message", message);
    }
}
