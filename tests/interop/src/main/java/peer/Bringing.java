package peer;

import java.util.HashMap;
import java.util.List;
import org.openehealth.ipf.commons.audit.AuditContext;

/**
 * How the responder brings the result of a deferred discovery: IPF acknowledges, looks for an
 * endpoint by the address that the question names, and asks it by itself; here it finds one that
 * signs as an initiator does.
 */
final class Bringing {
    private final Ipf ipf;
    private final Settings settings;
    private final Keys keys;
    private final AuditContext audit;

    Bringing(Ipf ipf, Settings settings, Keys keys, AuditContext audit) {
        this.ipf = ipf;
        this.settings = settings;
        this.keys = keys;
        this.audit = audit;
    }

    /** {@code address} is where results may be brought, as questions name it. */
    void to(String address) throws Exception {
        var signing = settings.keys("signing-store");
        var options = new HashMap<String, Object>();
        options.put("secure", "true");
        options.put("sslContextParameters", Ipf.tls(keys));
        options.put("auditContext", audit);
        options.put("features", List.of(Security.policy()));
        options.put("properties", Security.toAsk(
                signing, new Assertion(settings, signing, signing, "")));
        var component = "xcpd-iti55-deferred-response";
        var uri = ipf.uri(component, address.substring("https://".length()), options);
        ipf.alias(component + "://" + address.substring("https://".length()) + "?secure=true", uri);
    }
}
