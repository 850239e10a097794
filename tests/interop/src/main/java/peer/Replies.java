package peer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.apache.camel.Exchange;
import org.apache.cxf.phase.PhaseInterceptorChain;
import org.openehealth.ipf.commons.ihe.ws.correlation.AsynchronyCorrelator;
import org.openehealth.ipf.commons.ihe.ws.correlation.SpringCacheAsynchronyCorrelator;
import org.springframework.cache.concurrent.ConcurrentMapCacheManager;

/** Our own reply addresses, where answers come in their own time (WS-Addressing 1.0 Core: 3.4). */
record Replies(int port, AsynchronyCorrelator<?> correlator, BlockingQueue<Reply> taken) {
    private static final Map<Integer, Replies> OPEN = new HashMap<>();

    /** An answer, and what WSS4J verified in it. */
    record Reply(Exchange exchange, List<String> security) {}

    /** Those of a port, opened when first asked for. */
    static synchronized Replies at(Ipf ipf, int port, Keys keys, Settings settings)
            throws Exception {
        if (!OPEN.containsKey(port)) {
            var replies = new Replies(port,
                    new SpringCacheAsynchronyCorrelator<>(new ConcurrentMapCacheManager()),
                    new LinkedBlockingQueue<>());
            Https.listen(port, keys);
            for (var component : List.of("xcpd-iti55", "xca-iti38", "xca-iti39")) {
                replies.open(ipf, component, keys, settings);
            }
            OPEN.put(port, replies);
        }
        return OPEN.get(port);
    }

    String address(String component) {
        return "https://127.0.0.1:" + port + "/replies/" + component;
    }

    private void open(Ipf ipf, String component, Keys keys, Settings settings) throws Exception {
        var options = new HashMap<String, Object>();
        options.put("auditContext", Ipf.audit(settings.option("audit", "")));
        options.put("correlator", correlator);
        options.put("features", List.of(
                Security.replyPolicy(), new Given(Security.toAnswer(keys))));
        var uri = ipf.uri(component + "-async-response", "replies/" + component, options);
        ipf.serve(uri, exchange -> { }, exchange -> taken.add(new Reply(exchange.copy(),
                Verified.parts(PhaseInterceptorChain.getCurrentMessage()))), exchange -> { });
    }
}
