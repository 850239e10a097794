package peer;

import java.io.ByteArrayOutputStream;
import java.security.Key;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.crypto.spec.SecretKeySpec;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.crypto.dsig.spec.XPathFilterParameterSpec;
import org.apache.xml.security.c14n.Canonicalizer;
import org.w3c.dom.Element;

/** A signature over the Timestamp made once more, by other rules than WSS4J's. */
final class Signing {
    static final String RSA_SHA1 = Dom.DS + "rsa-sha1";
    static final String RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    static final String SHA1 = DigestMethod.SHA1;
    static final String SHA256 = DigestMethod.SHA256;

    private static final String HMAC_SHA256 =
            "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
    private static final XMLSignatureFactory FACTORY = XMLSignatureFactory.getInstance("DOM");

    private Signing() {}

    /** What a thief of an assertion could do: all is right but the key. */
    static void again(Element signature, Keys keys) throws Exception {
        var info = Dom.child(signature, Dom.DS, "SignedInfo");
        var canonical = new ByteArrayOutputStream();
        Canonicalizer.getInstance(Canonicalizer.ALGO_ID_C14N_EXCL_OMIT_COMMENTS)
                .canonicalizeSubtree(info, prefixes(info), canonical);
        var signer = java.security.Signature.getInstance("SHA256withRSA");
        signer.initSign(keys.privateKey());
        signer.update(canonical.toByteArray());
        Dom.child(signature, Dom.DS, "SignatureValue")
                .setTextContent(Base64.getEncoder().encodeToString(signer.sign()));
    }

    /** The same KeyInfo under a new signature; {@code uri} null refers to what it did before. */
    static void anew(Element signature, Keys keys, String method, String digest, String uri)
            throws Exception {
        make(signature, keys.privateKey(), method, digest, uri, List.of());
    }

    /** Who takes a key from the message for a secret accepts what anybody can make. */
    static void withPublicKeyAsSecret(Element signature, Keys keys) throws Exception {
        var secret = new SecretKeySpec(keys.certificate().getPublicKey().getEncoded(), "HMAC");
        make(signature, secret, HMAC_SHA256, SHA256, null, List.of());
    }

    static void withXPath(Element signature, Keys keys) throws Exception {
        var onlyCreated = new XPathFilterParameterSpec("ancestor-or-self::*[1] and true()");
        make(signature, keys.privateKey(), RSA_SHA256, SHA256, null,
                List.of(FACTORY.newTransform(Transform.XPATH, onlyCreated)));
    }

    static void withoutReference(Element signature, Keys keys) throws Exception {
        var info = Dom.child(signature, Dom.DS, "SignedInfo");
        Dom.remove(Dom.child(info, Dom.DS, "Reference"));
        again(signature, keys);
    }

    private static void make(Element old, Key key, String method, String digest, String uri,
            List<Transform> more) throws Exception {
        var info = Dom.child(old, Dom.DS, "SignedInfo");
        var referred = Dom.child(info, Dom.DS, "Reference").getAttribute("URI");
        var transforms = new ArrayList<>(more);
        if ("".equals(uri)) {
            transforms.add(FACTORY.newTransform(
                    Transform.ENVELOPED, (TransformParameterSpec) null));
        }
        transforms.add(FACTORY.newTransform(
                CanonicalizationMethod.EXCLUSIVE, (TransformParameterSpec) null));
        var reference = FACTORY.newReference(uri == null ? referred : uri,
                FACTORY.newDigestMethod(digest, null), transforms, null, null);
        var signed = FACTORY.newXMLSignature(FACTORY.newSignedInfo(
                FACTORY.newCanonicalizationMethod(
                        CanonicalizationMethod.EXCLUSIVE, (C14NMethodParameterSpec) null),
                FACTORY.newSignatureMethod(method, null), List.of(reference)), null);
        var context = new DOMSignContext(key, old.getParentNode(), old);
        context.setDefaultNamespacePrefix("ds");
        for (Element timestamp : Dom.all(old.getOwnerDocument(), Dom.WSU, "Timestamp")) {
            context.setIdAttributeNS(timestamp, Dom.WSU, "Id");
        }
        for (Element body : Dom.all(old.getOwnerDocument(), Dom.SOAP, "Body")) {
            if (body.hasAttributeNS(Dom.WSU, "Id")) {
                context.setIdAttributeNS(body, Dom.WSU, "Id");
            }
        }
        signed.sign(context);
        old.getPreviousSibling().appendChild(Dom.child(old, Dom.DS, "KeyInfo"));
        Dom.remove(old);
    }

    private static String prefixes(Element info) {
        var method = Dom.child(info, Dom.DS, "CanonicalizationMethod");
        var inclusive = method.getElementsByTagNameNS("*", "InclusiveNamespaces");
        return inclusive.getLength() == 0
                ? "" : ((Element) inclusive.item(0)).getAttribute("PrefixList");
    }
}
