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
        this.signature = settings.option("signature", "");
        this.digest = settings.option("digest", "");
        this.keyInfo = settings.option("key-info", "");
        this.assertionKeyInfo = settings.option("assertion-key-info", "");
        this.own = own;
    }

    boolean differs() {
        return !(signature + digest + keyInfo + assertionKeyInfo).isEmpty();
    }

    @Override
    public void to(Document envelope) throws Exception {
        var security = Dom.one(envelope, Dom.WSSE, "Security");
        if (!(signature + digest).isEmpty()) {
            // CXF would demand of the answer what it is told to sign with.
            Signing.anew(Dom.child(security, Dom.DS, "Signature"), own,
                    signature.isEmpty() ? Signing.RSA_SHA256 : signature,
                    digest.isEmpty() ? Signing.SHA256 : digest, null);
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
