package peer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.cxf.message.Message;
import org.apache.cxf.ws.security.SecurityConstants;
import org.openehealth.ipf.commons.audit.AuditContext;
import org.openehealth.ipf.platform.camel.ihe.hl7v3.PixPdqV3CamelValidators;
import org.openehealth.ipf.platform.camel.ihe.xds.XdsCamelValidators;
import org.slf4j.MDC;

/** The responding gateway: IPF's consumers behind mutual TLS on loopback. */
final class Responder {
    private final Ipf ipf = new Ipf();
    private final Settings settings;
    private final Keys keys;
    private final AuditContext audit;

    private Responder(Settings settings) throws Exception {
        this.settings = settings;
        this.keys = settings.keys("tls-store");
        this.audit = Ipf.audit(settings.option("audit", ""));
    }

    /** Answers until standard input ends, so that no server outlives whoever started it. */
    static void serve(Settings settings) throws Exception {
        var port = Integer.parseInt(settings.words().get(0));
        // IPF hands the log's context on to the thread that answers later, and fails without one.
        MDC.put("side", "responder");
        var responder = new Responder(settings);
        Https.listen(port, responder.keys);
        responder.publish();
        Report.line(Map.of("ready", "https://127.0.0.1:" + port));
        while (System.in.read() >= 0) {
            // What comes is of no interest, only that it ends.
        }
    }

    private void publish() throws Exception {
        var holding = Holding.of(settings);
        var bringsTo = settings.option("brings-to", "");
        if (!bringsTo.isEmpty()) {
            new Bringing(ipf, settings, keys, audit).to(bringsTo);
        }
        publish("ITI-55", "xcpd-iti55", "xcpd", bringsTo.isEmpty()
                ? "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery"
                : "urn:hl7-org:v3:PRPA_IN201305UV02:Deferred:CrossGatewayPatientDiscovery",
                Map.of(),
                PixPdqV3CamelValidators.iti55RequestValidator(), new DiscoveryService(settings),
                PixPdqV3CamelValidators.iti55ResponseValidator());
        publish("ITI-56", "xcpd-iti56", "locations", "urn:ihe:iti:2009:PatientLocationQuery",
                Map.of(),
                PixPdqV3CamelValidators.iti56RequestValidator(), new LocationService(settings),
                PixPdqV3CamelValidators.iti56ResponseValidator());
        // ITI-39's schema does not load (a reference in it dangles); ITI-55's validator has its own.
        publish("ITI-38", "xca-iti38", "xca/query", "urn:ihe:iti:2007:CrossGatewayQuery",
                validates() ? Map.of(Message.SCHEMA_VALIDATION_ENABLED, "IN") : Map.of(),
                XdsCamelValidators.iti38RequestValidator(), new QueryService(settings, holding),
                XdsCamelValidators.iti38ResponseValidator());
        publish("ITI-39", "xca-iti39", "xca/retrieve", "urn:ihe:iti:2007:CrossGatewayRetrieve",
                Map.of(),
                XdsCamelValidators.iti39RequestValidator(), new RetrieveService(holding),
                XdsCamelValidators.iti39ResponseValidator());
        publish("ITI-41", "xds-iti41", "xdr",
                "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b", Map.of(),
                XdsCamelValidators.iti41RequestValidator(), Submissions.taking("ITI-41"),
                XdsCamelValidators.iti41ResponseValidator());
        publish("ITI-80", "xcdr-iti80", "xcdr",
                "urn:ihe:iti:2015:CrossGatewayDocumentProvide", Map.of(),
                XdsCamelValidators.iti80RequestValidator(), Submissions.taking("ITI-80"),
                XdsCamelValidators.iti80ResponseValidator());
    }

    private void publish(String step, String component, String path, String action,
            Map<String, Object> extra, Processor requests, Processor work, Processor answers)
            throws Exception {
        var options = new HashMap<String, Object>();
        options.put("auditContext", audit);
        options.put("features", List.of(Security.policy(), new Given(properties(extra))));
        options.put("inInterceptors", List.of(new AddressingRules(action)));
        if (step.equals("ITI-38") || step.equals("ITI-39")) {
            options.put("homeCommunityId", settings.fact("own.home"));
        }
        var kind = settings.option("break-answer", "");
        if (!kind.isEmpty()) {
            options.put("outInterceptors", List.of(
                    new Tampering(new Forgery(keys, null).named(kind))));
        }
        Processor none = (Exchange exchange) -> {};
        ipf.serve(ipf.uri(component, path, options), validates() ? requests : none,
                failing(step, work), validates() ? answers : none);
    }

    /** Off only where its speed is measured: not everybody has them on. */
    private boolean validates() {
        return !settings.option("validators", "on").equals("off");
    }

    /** {@code work}, or a SOAP fault where one was asked for. */
    private Processor failing(String step, Processor work) {
        if (!settings.option("fault-at", "").equals(step)) {
            return work;
        }
        return (Exchange exchange) -> {
            throw AddressingRules.refusal("The record store is down for the night");
        };
    }

    private Map<String, Object> properties(Map<String, Object> extra) {
        var properties = new HashMap<String, Object>(extra);
        properties.putAll(Security.toAnswer(keys));
        // A test wants to read why; a real gateway says no more than that it refused.
        properties.put(SecurityConstants.RETURN_SECURITY_ERROR, true);
        return properties;
    }
}
