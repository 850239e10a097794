package peer;

import org.apache.cxf.jaxws.context.WebServiceContextImpl;
import org.apache.cxf.ws.addressing.AddressingProperties;
import org.apache.cxf.ws.addressing.AttributedURIType;
import org.apache.cxf.ws.addressing.JAXWSAConstants;
import org.openehealth.ipf.commons.core.modules.api.ValidationException;
import org.openehealth.ipf.commons.ihe.hl7v3.iti55.Iti55PortType;

/** ITI-55, responding: one patient is known, nobody else. */
public final class DiscoveryService implements Iti55PortType {
    private final Settings settings;
    private final Person known;

    DiscoveryService(Settings settings) {
        this.settings = settings;
        this.known = Person.of(settings);
    }

    @Override
    public String discoverPatients(String request) {
        try {
            Discovery.checkRequest(request);
        } catch (ValidationException problem) {
            throw AddressingRules.refusal("Not a valid PRPA_IN201305UV02: " + problem.getMessage());
        }
        try {
            var asked = Xml.parse(request);
            var matches = Discovery.asksFor(asked, known);
            var response = Discovery.response(asked, known, matches, settings.fact("own.home"));
            Discovery.checkResponse(response);
            answerAction();
            Report.served("ITI-55", matches ? "match" : "no match", Verified.asker());
            return response;
        } catch (Exception problem) {
            throw new IllegalStateException("ITI-55 could not be answered", problem);
        }
    }

    /** CXF chooses by the body's root, which both operations share, so it may come here. */
    @Override
    public String discoverPatientsDeferred(String request) {
        return discoverPatients(request);
    }

    /** For the same reason the answer's wsa:Action is said here and not left to CXF. */
    private static void answerAction() {
        var action = new AttributedURIType();
        action.setValue(REGULAR_REQUEST_OUTPUT_ACTION);
        var addressing = new AddressingProperties();
        addressing.setAction(action);
        new WebServiceContextImpl().getMessageContext()
                .put(JAXWSAConstants.ADDRESSING_PROPERTIES_OUTBOUND, addressing);
    }
}
