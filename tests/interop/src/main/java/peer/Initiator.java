package peer;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.cxf.interceptor.Interceptor;
import org.apache.cxf.message.Message;
import org.apache.cxf.transports.http.configuration.ConnectionType;
import org.apache.cxf.transports.http.configuration.HTTPClientPolicy;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.DocumentEntry;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.platform.camel.ihe.hl7v3.PixPdqV3CamelValidators;
import org.openehealth.ipf.platform.camel.ihe.ws.AbstractWsEndpoint;
import org.openehealth.ipf.platform.camel.ihe.xds.XdsCamelValidators;

/** The initiating gateway: who is it there, what is there, fetch it. */
final class Initiator {
    private static final int REPLY_SECONDS = 30;

    private final Ipf ipf;
    private final Settings settings;
    private final Keys tls;
    private final Keys signing;

    Initiator(Ipf ipf, Settings settings) throws Exception {
        this.ipf = ipf;
        this.settings = settings;
        this.tls = settings.keys("tls-store");
        this.signing = settings.options().containsKey("signing-store")
                ? settings.keys("signing-store") : tls;
    }

    /** Takes every step until one fails, and returns the code that says how it ended. */
    int run() {
        if (settings.options().containsKey("submit")) {
            return Step.take(settings.option("submit"), this::submit) == null ? 1 : 0;
        }
        var found = Step.take("ITI-55", this::discover);
        if (found == null) {
            return 1;
        }
        if (!found.isMatch()) {
            return found.isError() ? 1 : 3;
        }
        if (settings.options().containsKey("locate")) {
            return Step.take("ITI-56", said -> locate(found, said)) == null ? 1 : 0;
        }
        var patient = new Identifiable(found.id(), new AssigningAuthority(found.root(), "ISO"));
        var home = "urn:oid:" + found.home();
        var entries = Step.take("ITI-38 FindDocuments",
                said -> query(Queries.find(patient), said));
        if (entries == null) {
            return 1;
        }
        var again = Step.take("ITI-38 GetDocuments",
                said -> query(Queries.get(entries, home), said));
        if (again == null) {
            return 1;
        }
        var whole = Step.take("ITI-39", said -> retrieve(again, said));
        return whole == null ? 1 : whole ? 0 : 3;
    }

    private Discovery.Answer discover(Map<String, Object> said) throws Exception {
        var answer = Discovery.read(settings.option("deferred-port", "").isEmpty()
                ? discoverNow(said) : discoverLater(said));
        said.put("outcome",
                answer.isMatch() ? "match" : answer.isError() ? "error" : "no match");
        said.put("acknowledgement", answer.acknowledgement());
        said.put("response", answer.response());
        if (answer.isMatch()) {
            said.put("patient_id", answer.id() + "^^^&" + answer.root() + "&ISO");
            said.put("home", answer.home());
        }
        return answer;
    }

    private String discoverNow(Map<String, Object> said) throws Exception {
        var request = Discovery.request(
                Person.of(settings), settings.fact("own.home"), settings.fact("partner.home"));
        return ask("ITI-55", "xcpd-iti55", 0, request,
                PixPdqV3CamelValidators.iti55RequestValidator(),
                PixPdqV3CamelValidators.iti55ResponseValidator(), said)
                .getMessage().getBody(String.class);
    }

    private Boolean locate(Discovery.Answer found, Map<String, Object> said) throws Exception {
        var answer = ask("ITI-56", "xcpd-iti56", 0,
                Locations.request(found.root(), found.id()),
                PixPdqV3CamelValidators.iti56RequestValidator(),
                PixPdqV3CamelValidators.iti56ResponseValidator(), said)
                .getMessage().getBody(String.class);
        said.put("outcome", "located");
        said.put("locations", Locations.read(answer));
        return true;
    }

    /** The result that is brought to us, once the question is acknowledged. */
    private String discoverLater(Map<String, Object> said) throws Exception {
        var results = Results.at(
                ipf, Integer.parseInt(settings.option("deferred-port")), tls, settings);
        var request = Discovery.request(Person.of(settings), settings.fact("own.home"),
                settings.fact("partner.home"), results.address());
        var options = options("ITI-55", said);
        options.put("correlator", results.correlator());
        var acknowledgement = Xml.parse(ipf.ask(ipf.uri("xcpd-iti55", url(0), options), request,
                Map.of(), PixPdqV3CamelValidators.iti55RequestValidator(),
                PixPdqV3CamelValidators.iti55ResponseValidator())
                .getMessage().getBody(String.class));
        said.put("deferred", acknowledgement.text(
                "/h:MCCI_IN000002UV01/h:acknowledgement/h:typeCode/@code"));
        var result = results.taken().poll(REPLY_SECONDS, TimeUnit.SECONDS);
        if (result == null) {
            throw new IllegalStateException("No result was brought");
        }
        said.put("brought_by", result.sender().get(Assertion.SUBJECT_ID));
        said.put("brought_for", result.sender().get(Assertion.PURPOSE));
        return result.body();
    }

    private List<DocumentEntry> query(Object request, Map<String, Object> said) throws Exception {
        return Queries.read(ask("ITI-38", "xca-iti38", 1, request,
                XdsCamelValidators.iti38RequestValidator(),
                XdsCamelValidators.iti38ResponseValidator(), said), said);
    }

    private Boolean retrieve(List<DocumentEntry> entries, Map<String, Object> said)
            throws Exception {
        var request = Retrievals.request(entries, settings.option("and-for", ""));
        return Retrievals.read(ask("ITI-39", "xca-iti39", 2, request,
                XdsCamelValidators.iti39RequestValidator(),
                XdsCamelValidators.iti39ResponseValidator(), said), said);
    }

    /** The first URL is where submissions are taken. */
    private Boolean submit(Map<String, Object> said) throws Exception {
        var step = settings.option("submit");
        var crossGateway = step.equals("ITI-80");
        var request = Submissions.request(
                settings, crossGateway ? settings.fact("partner.home") : null);
        return Submissions.read(ask(step, crossGateway ? "xcdr-iti80" : "xds-iti41", 0, request,
                crossGateway ? XdsCamelValidators.iti80RequestValidator()
                        : XdsCamelValidators.iti41RequestValidator(),
                crossGateway ? XdsCamelValidators.iti80ResponseValidator()
                        : XdsCamelValidators.iti41ResponseValidator(), said), said);
    }

    // ---- one exchange --------------------------------------------------------------------------

    private Exchange ask(String step, String component, int position, Object body,
            Processor requests, Processor answers, Map<String, Object> said) throws Exception {
        var replyPort = settings.option("reply-port", "");
        if (replyPort.isEmpty()) {
            var uri = ipf.uri(component, url(position), options(step, said));
            var exchange = ipf.ask(uri, body, Map.of(), requests, answers);
            noteContentType(exchange, said);
            return exchange;
        }
        var replies = Replies.at(ipf, Integer.parseInt(replyPort), tls, settings);
        var options = options(step, said);
        options.put("correlator", replies.correlator());
        var headers = new HashMap<String, Object>();
        headers.put(AbstractWsEndpoint.WSA_REPLYTO_HEADER_NAME, replies.address(component));
        ipf.ask(ipf.uri(component, url(position), options), body, headers, requests, x -> { });
        var reply = replies.taken().poll(REPLY_SECONDS, TimeUnit.SECONDS);
        if (reply == null) {
            throw new IllegalStateException("No answer came to the reply address");
        }
        answers.process(reply.exchange());
        said.put("security", reply.security());
        noteContentType(reply.exchange(), said);
        return reply.exchange();
    }

    private static void noteContentType(Exchange exchange, Map<String, Object> said) {
        var headers = exchange.getMessage()
                .getHeader(AbstractWsEndpoint.INCOMING_HTTP_HEADERS, Map.class);
        for (var header : headers.entrySet()) {
            var entry = (Map.Entry<?, ?>) header;
            if ("content-type".equalsIgnoreCase(String.valueOf(entry.getKey()))) {
                said.put("content_type", String.valueOf(entry.getValue()));
            }
        }
    }

    private Map<String, Object> options(String step, Map<String, Object> said) throws Exception {
        var options = new LinkedHashMap<String, Object>();
        options.put("secure", "true");
        options.put("sslContextParameters", Ipf.tls(tls));
        options.put("auditContext", Ipf.audit(settings.option("audit", "")));
        options.put("features", List.of(Security.policy()));
        options.put("properties", properties(step));
        options.put("httpClientPolicy", http());
        options.put("inInterceptors", List.of(new ConfirmationRules(said)));
        var tampering = outInterceptors(step);
        if (!tampering.isEmpty()) {
            options.put("outInterceptors", tampering);
        }
        return options;
    }

    /** First how the message is made to differ from WSS4J's own, then how it is spoiled. */
    private List<Interceptor<?>> outInterceptors(String step) throws Exception {
        var interceptors = new ArrayList<Interceptor<?>>();
        var algorithm = settings.option("native-signature", "");
        if (!algorithm.isEmpty()) {
            interceptors.add(new SignatureAlgorithm(algorithm));
        }
        var dress = new Dress(settings, signing);
        if (dress.differs()) {
            interceptors.add(new Tampering(dress));
        }
        var change = new Forgery(signing, other()).named(tampering(step));
        if (change != null) {
            interceptors.add(new Tampering(change));
        }
        return interceptors;
    }

    private Keys other() throws Exception {
        return settings.options().containsKey("other-store") ? settings.keys("other-store") : null;
    }

    /** How this step is to be spoiled, empty if not. */
    private String tampering(String step) {
        var at = settings.option("tamper-at", "ITI-55");
        return at.equals(step) ? settings.option("tamper", "") : "";
    }

    private Map<String, Object> properties(String step) throws Exception {
        var kind = tampering(step);
        if (!kind.isEmpty() && !Assertion.KINDS.contains(kind)
                && new Forgery(signing, other()).named(kind) == null) {
            throw new IllegalArgumentException("No such tampering: " + kind);
        }
        var issuer = kind.equals("untrusted-issuer") ? other() : signing;
        var properties = Security.toAsk(
                signing, new Assertion(settings, issuer, signing, kind));
        if (step.equals("ITI-38")) {
            properties.put(Message.SCHEMA_VALIDATION_ENABLED, "IN");
        }
        return properties;
    }

    /** Without its scheme; the last serves for all that follow, as with one address for XCA. */
    private String url(int position) {
        var words = settings.words();
        var url = words.get(Math.min(position, words.size() - 1));
        return url.substring("https://".length());
    }

    private static HTTPClientPolicy http() {
        var policy = new HTTPClientPolicy();
        policy.setConnection(ConnectionType.CLOSE);
        policy.setConnectionTimeout(10_000);
        policy.setReceiveTimeout(60_000);
        return policy;
    }
}
