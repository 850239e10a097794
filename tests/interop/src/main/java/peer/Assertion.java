package peer;

import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.namespace.QName;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.wss4j.common.saml.OpenSAMLUtil;
import org.apache.wss4j.common.saml.SAMLCallback;
import org.apache.wss4j.common.saml.bean.AttributeBean;
import org.apache.wss4j.common.saml.bean.AttributeStatementBean;
import org.apache.wss4j.common.saml.bean.AudienceRestrictionBean;
import org.apache.wss4j.common.saml.bean.AuthenticationStatementBean;
import org.apache.wss4j.common.saml.bean.ConditionsBean;
import org.apache.wss4j.common.saml.bean.KeyInfoBean;
import org.apache.wss4j.common.saml.bean.SubjectBean;
import org.apache.wss4j.common.saml.bean.SubjectLocalityBean;
import org.apache.wss4j.common.saml.bean.Version;
import org.apache.wss4j.common.saml.builder.SAML2Constants;
import org.apache.wss4j.dom.WSConstants;
import org.joda.time.DateTime;
import org.opensaml.core.xml.schema.XSAny;
import org.opensaml.core.xml.schema.impl.XSAnyBuilder;
import org.opensaml.saml.saml2.core.AttributeValue;
import org.w3c.dom.Element;

/** Who asks and why, as the NHIN authorization framework spells it in SAML 2.0. */
final class Assertion implements CallbackHandler {
    static final String SUBJECT_ID = "urn:oasis:names:tc:xspa:1.0:subject:subject-id";
    static final String ORGANIZATION = "urn:oasis:names:tc:xspa:1.0:subject:organization";
    static final String ORGANIZATION_ID = "urn:oasis:names:tc:xspa:1.0:subject:organization-id";
    static final String HOME_COMMUNITY = "urn:nhin:names:saml:homeCommunityId";
    static final String ROLE = "urn:oasis:names:tc:xacml:2.0:subject:role";
    static final String PURPOSE = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse";

    /** How an assertion can be wrong though its issuer made it. */
    static final Set<String> KINDS = Set.of("untrusted-issuer", "unsigned", "expired",
            "not-yet-valid", "other-audience", "bearer", "sha1-assertion", "sha1-assertion-digest");

    private static final String HL7 = "urn:hl7-org:v3";
    private static final String XSI = "http://www.w3.org/2001/XMLSchema-instance";
    private static final String X509_NAME =
            "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName";
    private static final Duration LIFE = Duration.ofMinutes(5);

    private final Settings settings;
    private final Keys issuer;
    private final Keys holder;
    private final String kind;
    private final Instant notBefore;

    /** {@code kind} is how it is to be wrong, one of {@code KINDS}, else right. */
    Assertion(Settings settings, Keys issuer, Keys holder, String kind) {
        OpenSAMLUtil.initSamlEngine();
        this.settings = settings;
        this.issuer = issuer;
        this.holder = holder;
        this.kind = kind;
        this.notBefore = Instant.now().minusSeconds(5).plus(switch (kind) {
            case "expired" -> Duration.ofHours(-1);
            case "not-yet-valid" -> Duration.ofHours(1);
            default -> Duration.ZERO;
        });
    }

    @Override
    public void handle(Callback[] callbacks) {
        try {
            for (var callback : callbacks) {
                fill((SAMLCallback) callback);
            }
        } catch (Exception problem) {
            throw new IllegalStateException("The assertion could not be made", problem);
        }
    }

    private void fill(SAMLCallback callback) throws Exception {
        callback.setSamlVersion(Version.SAML_20);
        callback.setIssuer(subjectName(issuer));
        callback.setIssuerFormat(X509_NAME);
        callback.setSubject(subject());
        callback.setConditions(conditions());
        callback.setAuthenticationStatementData(List.of(authentication()));
        callback.setAttributeStatementData(List.of(attributes()));
        callback.setSignAssertion(!kind.equals("unsigned"));
        callback.setIssuerCrypto(issuer.crypto());
        callback.setIssuerKeyName(issuer.alias());
        callback.setIssuerKeyPassword(new String(issuer.password()));
        callback.setSignatureAlgorithm(kind.equals("sha1-assertion")
                ? WSConstants.RSA_SHA1 : signatureAlgorithm());
        callback.setSignatureDigestAlgorithm(kind.equals("sha1-assertion-digest")
                ? WSConstants.SHA1 : settings.option("digest", WSConstants.SHA256));
        callback.setCanonicalizationAlgorithm(WSConstants.C14N_EXCL_OMIT_COMMENTS);
    }

    private String signatureAlgorithm() {
        return settings.option("signature",
                settings.option("native-signature", WSConstants.RSA_SHA256));
    }

    private static String subjectName(Keys keys) throws GeneralSecurityException {
        return keys.certificate().getSubjectX500Principal().getName();
    }

    private SubjectBean subject() throws Exception {
        var subject = new SubjectBean(subjectName(holder), null, kind.equals("bearer")
                ? SAML2Constants.CONF_BEARER : SAML2Constants.CONF_HOLDER_KEY);
        subject.setSubjectNameIDFormat(X509_NAME);
        var keyInfo = new KeyInfoBean();
        keyInfo.setElement(keyInfo(holder));
        subject.setKeyInfo(keyInfo);
        return subject;
    }

    /** KeyValue and X509Data both, as partners send it; WSS4J by itself writes one of the two. */
    private static Element keyInfo(Keys keys) throws Exception {
        var factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        var document = factory.newDocumentBuilder().newDocument();
        var parent = document.createElement("parent");
        document.appendChild(parent);
        var items = KeyInfoFactory.getInstance("DOM");
        var certificate = keys.certificate();
        items.newKeyInfo(List.of(
                items.newKeyValue(certificate.getPublicKey()),
                items.newX509Data(List.of(certificate))))
            .marshal(new DOMStructure(parent), null);
        return (Element) parent.getFirstChild();
    }

    private ConditionsBean conditions() {
        var conditions = new ConditionsBean();
        conditions.setNotBefore(notBefore);
        conditions.setNotAfter(notBefore.plus(LIFE));
        if (kind.equals("other-audience")) {
            var audience = new AudienceRestrictionBean();
            audience.setAudienceURIs(List.of("https://elsewhere.example/ihe/xca"));
            conditions.setAudienceRestrictions(List.of(audience));
        }
        return conditions;
    }

    private AuthenticationStatementBean authentication() {
        var statement = new AuthenticationStatementBean();
        statement.setAuthenticationInstant(new DateTime(notBefore.toEpochMilli()));
        statement.setAuthenticationMethod(SAML2Constants.AUTH_CONTEXT_CLASS_REF_X509);
        var locality = new SubjectLocalityBean();
        locality.setIpAddress("127.0.0.1");
        statement.setSubjectLocality(locality);
        return statement;
    }

    private AttributeStatementBean attributes() {
        var attributes = new ArrayList<AttributeBean>();
        attributes.add(attribute(SUBJECT_ID, settings.fact("user.name")));
        attributes.add(attribute(ORGANIZATION, settings.fact("user.organization")));
        attributes.add(attribute(ORGANIZATION_ID, settings.fact("own.home")));
        attributes.add(attribute(HOME_COMMUNITY, settings.fact("own.home")));
        attributes.add(attribute(ROLE, coded("Role", settings.fact("user.role"),
                "2.16.840.1.113883.6.96", "SNOMED_CT", settings.fact("user.role.name"))));
        attributes.add(attribute(PURPOSE, coded("PurposeOfUse", settings.fact("user.purpose"),
                "2.16.840.1.113883.3.18.7.1", "nhin-purpose", settings.fact("user.purpose"))));
        var statement = new AttributeStatementBean();
        statement.setSamlAttributes(attributes);
        return statement;
    }

    private static AttributeBean attribute(String name, Object value) {
        var attribute = new AttributeBean();
        attribute.setQualifiedName(name);
        attribute.setNameFormat("urn:oasis:names:tc:SAML:2.0:attrname-format:uri");
        attribute.addAttributeValue(value);
        return attribute;
    }

    private static XSAny coded(
            String element, String code, String system, String systemName, String display) {
        var builder = new XSAnyBuilder();
        var coded = builder.buildObject(new QName(HL7, element, "hl7"));
        var said = coded.getUnknownAttributes();
        said.put(new QName(XSI, "type", "xsi"), "hl7:CE");
        said.put(new QName("code"), code);
        said.put(new QName("codeSystem"), system);
        said.put(new QName("codeSystemName"), systemName);
        said.put(new QName("displayName"), display);
        var value = builder.buildObject(AttributeValue.DEFAULT_ELEMENT_NAME);
        value.getUnknownXMLObjects().add(coded);
        return value;
    }
}
