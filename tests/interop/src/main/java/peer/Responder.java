package peer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.cxf.BusFactory;
import org.apache.cxf.configuration.jsse.TLSServerParameters;
import org.apache.cxf.configuration.security.ClientAuthentication;
import org.apache.cxf.frontend.ServerFactoryBean;
import org.apache.cxf.interceptor.AbstractBasicInterceptorProvider;
import org.apache.cxf.interceptor.InterceptorProvider;
import org.apache.cxf.message.Message;
import org.apache.cxf.transport.http_jetty.JettyHTTPServerEngineFactory;
import org.apache.cxf.ws.security.SecurityConstants;
import org.openehealth.ipf.commons.ihe.hl7v3.Hl7v3ServiceFactory;
import org.openehealth.ipf.commons.ihe.hl7v3.XCPD;
import org.openehealth.ipf.commons.ihe.ws.JaxWsRequestServiceFactory;
import org.openehealth.ipf.commons.ihe.ws.WsTransactionConfiguration;
import org.openehealth.ipf.commons.ihe.ws.cxf.audit.WsAuditDataset;
import org.openehealth.ipf.commons.ihe.xds.XCA;

/** The responding gateway: three IPF services behind mutual TLS on loopback. */
final class Responder {
    private final Settings settings;
    private final Keys keys;
    private final String base;

    private Responder(Settings settings, Keys keys, String base) {
        this.settings = settings;
        this.keys = keys;
        this.base = base;
    }

    /** Answers until standard input ends, so that no server outlives whoever started it. */
    static void serve(Settings settings) throws Exception {
        var port = Integer.parseInt(settings.words().get(0));
        var keys = settings.keys("tls-store");
        requireMutualTls(port, keys);
        var responder = new Responder(settings, keys, "https://127.0.0.1:" + port);
        var holding = Holding.of(settings);
        responder.publishDiscovery();
        // ITI-55 is held to its schema by IPF; ITI-39's does not load (a reference in it dangles).
        responder.publish("/xca/query", XCA.Interactions.ITI_38.getWsTransactionConfiguration(),
                new QueryService(settings, holding), "urn:ihe:iti:2007:CrossGatewayQuery",
                Map.of(Message.SCHEMA_VALIDATION_ENABLED, "IN"));
        responder.publish("/xca/retrieve", XCA.Interactions.ITI_39.getWsTransactionConfiguration(),
                new RetrieveService(settings, holding), "urn:ihe:iti:2007:CrossGatewayRetrieve",
                Map.of());
        Report.line(Map.of("ready", responder.base));
        while (System.in.read() >= 0) {
            // What comes is of no interest, only that it ends.
        }
        System.exit(0);
    }

    private static void requireMutualTls(int port, Keys keys) throws Exception {
        var client = new ClientAuthentication();
        client.setWant(true);
        client.setRequired(true);
        var parameters = new TLSServerParameters();
        parameters.setKeyManagers(keys.keyManagers());
        parameters.setTrustManagers(keys.trustManagers());
        parameters.setClientAuthentication(client);
        parameters.setIncludeProtocols(List.of("TLSv1.2", "TLSv1.3"));
        BusFactory.getDefaultBus().getExtension(JettyHTTPServerEngineFactory.class)
                .setTLSServerParametersForPort("127.0.0.1", port, parameters);
    }

    private void publishDiscovery() throws Exception {
        var action = "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery";
        var factory = new Hl7v3ServiceFactory(
                XCPD.Interactions.ITI_55.getWsTransactionConfiguration(),
                base + "/xcpd", null, null, interceptors(action), null);
        start(factory.createServerFactory(new DiscoveryService(settings)), Map.of());
    }

    private <T extends WsAuditDataset> void publish(
            String path, WsTransactionConfiguration<T> transaction, Object service, String action,
            Map<String, Object> extra) throws Exception {
        var factory = new JaxWsRequestServiceFactory<>(
                transaction, base + path, null, null, interceptors(action), null);
        start(factory.createServerFactory(service), extra);
    }

    private InterceptorProvider interceptors(String action) throws Exception {
        var provider = new AbstractBasicInterceptorProvider() {};
        provider.getInInterceptors().add(new AddressingRules(action));
        var kind = settings.option("break-answer", "");
        if (!kind.isEmpty()) {
            provider.getOutInterceptors().add(new Tampering(kind, null));
        }
        return provider;
    }

    private void start(ServerFactoryBean factory, Map<String, Object> extra) throws Exception {
        var properties = new HashMap<>(extra);
        if (factory.getProperties() != null) {
            properties.putAll(factory.getProperties());
        }
        properties.putAll(Security.toAnswer(keys));
        // A test wants to read why; a real gateway says no more than that it refused.
        properties.put(SecurityConstants.RETURN_SECURITY_ERROR, true);
        factory.setProperties(properties);
        factory.getFeatures().add(Security.policy());
        factory.create().start();
    }
}
