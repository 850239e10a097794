package peer;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.cxf.feature.AbstractFeature;
import org.apache.cxf.interceptor.AbstractBasicInterceptorProvider;
import org.apache.cxf.interceptor.InterceptorProvider;
import org.apache.cxf.message.Message;
import org.apache.cxf.transports.http.configuration.ConnectionType;
import org.apache.cxf.transports.http.configuration.HTTPClientPolicy;
import org.openehealth.ipf.commons.ihe.hl7v3.Hl7v3ClientFactory;
import org.openehealth.ipf.commons.ihe.hl7v3.XCPD;
import org.openehealth.ipf.commons.ihe.hl7v3.iti55.Iti55PortType;
import org.openehealth.ipf.commons.ihe.ws.JaxWsRequestClientFactory;
import org.openehealth.ipf.commons.ihe.ws.WsSecurityInformation;
import org.openehealth.ipf.commons.ihe.ws.WsTransactionConfiguration;
import org.openehealth.ipf.commons.ihe.ws.cxf.audit.WsAuditDataset;
import org.openehealth.ipf.commons.ihe.xds.XCA;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.AssigningAuthority;
import org.openehealth.ipf.commons.ihe.xds.core.metadata.Identifiable;
import org.openehealth.ipf.commons.ihe.xds.iti38.Iti38PortType;
import org.openehealth.ipf.commons.ihe.xds.iti39.Iti39PortType;

/** The initiating gateway: who is it there, what is there, fetch it. */
final class Initiator {
    private final Settings settings;
    private final Keys tls;
    private final Keys signing;

    private Initiator(Settings settings) throws Exception {
        this.settings = settings;
        this.tls = settings.keys("tls-store");
        this.signing = settings.options().containsKey("signing-store")
                ? settings.keys("signing-store") : tls;
    }

    /** Takes every step until one fails, and returns the exit code. */
    static int run(Settings settings) throws Exception {
        return new Initiator(settings).steps();
    }

    private int steps() throws Exception {
        var found = Step.take("ITI-55", this::discover);
        if (found == null) {
            return 1;
        }
        if (!found.isMatch()) {
            return 3;
        }
        var patient = new Identifiable(found.id(), new AssigningAuthority(found.root(), "ISO"));
        var home = "urn:oid:" + found.home();
        var entries = Step.take("ITI-38 FindDocuments", said -> queries().find(patient, said));
        if (entries == null) {
            return 1;
        }
        var again = Step.take("ITI-38 GetDocuments", said -> queries().get(entries, home, said));
        if (again == null) {
            return 1;
        }
        var document = Step.take("ITI-39", said -> retrievals().fetch(again, said));
        return document == null ? 1 : 0;
    }

    private Discovery.Answer discover(Map<String, Object> said) throws Exception {
        var factory = new Hl7v3ClientFactory(
                XCPD.Interactions.ITI_55.getWsTransactionConfiguration(), url(0), null, null,
                interceptors("ITI-55"), features(), properties("ITI-55"), null,
                tlsInformation(), http());
        var port = (Iti55PortType) factory.getClient();
        var request = Discovery.request(
                Person.of(settings), settings.fact("own.home"), settings.fact("partner.home"));
        Discovery.checkRequest(request);
        var response = port.discoverPatients(request);
        Step.noteSecurity(port, said);
        Discovery.checkResponse(response);
        var answer = Discovery.read(response);
        said.put("outcome", answer.isMatch() ? "match" : "no match");
        said.put("acknowledgement", answer.acknowledgement());
        said.put("response", answer.response());
        if (answer.isMatch()) {
            said.put("patient_id", answer.id() + "^^^&" + answer.root() + "&ISO");
            said.put("home", answer.home());
        }
        return answer;
    }

    private Queries queries() throws Exception {
        return new Queries((Iti38PortType) client(
                "ITI-38", XCA.Interactions.ITI_38.getWsTransactionConfiguration(), url(1)));
    }

    private Retrievals retrievals() throws Exception {
        return new Retrievals((Iti39PortType) client(
                "ITI-39", XCA.Interactions.ITI_39.getWsTransactionConfiguration(), url(2)));
    }

    private <T extends WsAuditDataset> Object client(
            String step, WsTransactionConfiguration<T> transaction, String url) throws Exception {
        var properties = properties(step);
        if (step.equals("ITI-38")) {
            properties.put(Message.SCHEMA_VALIDATION_ENABLED, "IN");
        }
        return new JaxWsRequestClientFactory<>(
                transaction, url, null, null, interceptors(step), features(), properties, null,
                tlsInformation(), http()).getClient();
    }

    /** The last address serves for all that follow, as with a partner that has one for XCA. */
    private String url(int position) {
        var words = settings.words();
        return words.get(Math.min(position, words.size() - 1));
    }

    private InterceptorProvider interceptors(String step) throws Exception {
        var provider = new AbstractBasicInterceptorProvider() {};
        provider.getInInterceptors().add(new ConfirmationRules());
        var kind = tampering(step);
        if (Tampering.AFTER_SIGNING.contains(kind)) {
            var other = kind.equals("other-key") ? settings.keys("other-store") : null;
            provider.getOutInterceptors().add(new Tampering(kind, other));
        }
        return provider;
    }

    /** How this step is to be spoiled, empty if not. */
    private String tampering(String step) {
        var at = settings.option("tamper-at", "ITI-55");
        return at.equals(step) ? settings.option("tamper", "") : "";
    }

    private List<AbstractFeature> features() throws Exception {
        return new ArrayList<>(List.of(Security.policy()));
    }

    private Map<String, Object> properties(String step) throws Exception {
        var kind = tampering(step);
        var issuer = kind.equals("untrusted-issuer") ? settings.keys("other-store") : signing;
        var age = kind.equals("expired") ? Duration.ofHours(1) : Duration.ZERO;
        return Security.toAsk(signing, new Assertion(
                settings, issuer, signing, !kind.equals("unsigned"), age));
    }

    private WsSecurityInformation tlsInformation() throws Exception {
        return new WsSecurityInformation(true, tls.tls(), null, null, null);
    }

    private static HTTPClientPolicy http() {
        var policy = new HTTPClientPolicy();
        policy.setConnection(ConnectionType.CLOSE);
        policy.setConnectionTimeout(10_000);
        policy.setReceiveTimeout(60_000);
        return policy;
    }
}
