package peer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.openehealth.ipf.commons.ihe.ws.correlation.AsynchronyCorrelator;
import org.openehealth.ipf.commons.ihe.ws.correlation.SpringCacheAsynchronyCorrelator;
import org.openehealth.ipf.platform.camel.ihe.hl7v3.PixPdqV3CamelValidators;
import org.springframework.cache.concurrent.ConcurrentMapCacheManager;

/** Where results of deferred discoveries are brought to us (ITI TF-2: 3.55, Deferred Response). */
record Results(int port, AsynchronyCorrelator<?> correlator, BlockingQueue<Result> taken) {
    private static final String ACTION =
            "urn:hl7-org:v3:PRPA_IN201306UV02:Deferred:CrossGatewayPatientDiscovery";
    private static final Map<Integer, Results> OPEN = new HashMap<>();

    /** A result, and who has brought it by the verified assertion. */
    record Result(String body, Map<String, String> sender) {}

    /** Those of a port, opened when first asked for. */
    static synchronized Results at(Ipf ipf, int port, Keys keys, Settings settings)
            throws Exception {
        if (!OPEN.containsKey(port)) {
            var results = new Results(port,
                    new SpringCacheAsynchronyCorrelator<>(new ConcurrentMapCacheManager()),
                    new LinkedBlockingQueue<>());
            Https.listen(port, keys);
            results.open(ipf, keys, settings);
            OPEN.put(port, results);
        }
        return OPEN.get(port);
    }

    String address() {
        return "https://127.0.0.1:" + port + "/results";
    }

    /** A result is a message of its own, so it is held to what is demanded of a request. */
    private void open(Ipf ipf, Keys keys, Settings settings) throws Exception {
        var options = new HashMap<String, Object>();
        options.put("auditContext", Ipf.audit(settings.option("audit", "")));
        options.put("correlator", correlator);
        options.put("features", List.of(
                Security.policy(), new Given(Security.toAnswer(keys))));
        options.put("inInterceptors", List.of(new AddressingRules(ACTION)));
        var uri = ipf.uri("xcpd-iti55-deferred-response", "results", options);
        ipf.serve(uri, PixPdqV3CamelValidators.iti55ResponseValidator(),
                exchange -> taken.add(new Result(exchange.getIn().getBody(String.class),
                        Verified.asker())), exchange -> { });
    }
}
