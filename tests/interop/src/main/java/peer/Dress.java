package peer;

import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** How partners' Security headers differ and are right all the same: digests, names of keys. */
final class Dress implements Tampering.Change {
    private final String signature;
    private final String digest;
    private final String keyInfo;
    private final String assertionKeyInfo;
    private final Keys own;

    Dress(Settings settings, Keys own) {
        this.signature = settings.option("signature", Signing.RSA_SHA256);
        this.digest = settings.option("digest", "");
        this.keyInfo = settings.option("key-info", "");
        this.assertionKeyInfo = settings.option("assertion-key-info", "");
        this.own = own;
    }

    boolean differs() {
        return !(digest + keyInfo + assertionKeyInfo).isEmpty();
    }

    @Override
    public void to(Document envelope) throws Exception {
        var security = Dom.one(envelope, Dom.WSSE, "Security");
        if (!digest.isEmpty()) {
            // WS-SecurityPolicy 1.2, and so CXF, has no name for a suite of more than SHA-256.
            Signing.anew(Dom.child(security, Dom.DS, "Signature"), own, signature, digest, null);
        }
        if (!keyInfo.isEmpty()) {
            KeyNames.rename(Dom.child(security, Dom.DS, "Signature"), keyInfo, own);
        }
        if (!assertionKeyInfo.isEmpty()) {
            Element assertion = Dom.child(security, Dom.SAML, "Assertion");
            KeyNames.rename(Dom.child(assertion, Dom.DS, "Signature"), assertionKeyInfo, own);
        }
    }
}
