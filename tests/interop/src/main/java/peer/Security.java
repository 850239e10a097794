package peer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.security.auth.callback.CallbackHandler;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.cxf.ws.policy.WSPolicyFeature;
import org.apache.cxf.ws.security.SecurityConstants;
import org.apache.wss4j.common.ext.WSPasswordCallback;
import org.apache.wss4j.dom.WSConstants;

/** The security that both modes share: the policy, and what CXF needs to obey it. */
final class Security {
    private static final String PROCESS_FAULT_ON_HTTP_400 =
            "org.apache.cxf.transport.process_fault_on_http_400";

    private Security() {}

    static WSPolicyFeature policy() throws Exception {
        return policy("/holder-of-key-policy.xml");
    }

    /** What is demanded of an answer that comes to a reply address. */
    static WSPolicyFeature replyPolicy() throws Exception {
        return policy("/reply-policy.xml");
    }

    private static WSPolicyFeature policy(String resource) throws Exception {
        var factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
        try (var stream = Security.class.getResourceAsStream(resource)) {
            var feature = new WSPolicyFeature();
            feature.setPolicyElements(
                    List.of(factory.newDocumentBuilder().parse(stream).getDocumentElement()));
            return feature;
        }
    }

    /** For who asks: how to make the assertion and sign with its key. */
    static Map<String, Object> toAsk(Keys signing, CallbackHandler assertion)
            throws Exception {
        var properties = common(signing);
        properties.put(SecurityConstants.SIGNATURE_USERNAME, signing.alias());
        properties.put(SecurityConstants.CALLBACK_HANDLER, (CallbackHandler) callbacks -> {
            for (var callback : callbacks) {
                ((WSPasswordCallback) callback).setPassword(new String(signing.password()));
            }
        });
        properties.put(SecurityConstants.SAML_CALLBACK_HANDLER, assertion);
        // SOAP 1.2 sends a Sender fault with HTTP 400, whose body CXF reads only when told to.
        properties.put(PROCESS_FAULT_ON_HTTP_400, true);
        return properties;
    }

    /** For who answers: whom to believe. */
    static Map<String, Object> toAnswer(Keys keys) {
        var properties = common(keys);
        properties.put(SecurityConstants.SAML2_TOKEN_VALIDATOR, new AssertionRules());
        return properties;
    }

    private static Map<String, Object> common(Keys keys) {
        var properties = new HashMap<String, Object>();
        properties.put(SecurityConstants.SIGNATURE_CRYPTO, keys.crypto());
        // The policy's suite would sign with SHA-1: WS-SecurityPolicy 1.2 knows no newer one.
        properties.put(
                SecurityConstants.ASYMMETRIC_SIGNATURE_ALGORITHM, WSConstants.RSA_SHA256);
        return properties;
    }
}
