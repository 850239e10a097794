package peer;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.wss4j.common.ext.WSSecurityException;
import org.apache.wss4j.common.saml.SamlAssertionWrapper;
import org.apache.wss4j.common.saml.builder.SAML2Constants;
import org.apache.wss4j.dom.handler.RequestData;
import org.apache.wss4j.dom.validate.Credential;
import org.apache.wss4j.dom.validate.SamlAssertionValidator;
import org.opensaml.saml.saml2.core.NameIDType;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** WSS4J's rules of an assertion, and NHIN's: the six attributes, the form of issuer and subject. */
final class AssertionRules extends SamlAssertionValidator {
    private static final List<String> REQUIRED = List.of(
            Assertion.SUBJECT_ID, Assertion.ORGANIZATION, Assertion.ORGANIZATION_ID,
            Assertion.HOME_COMMUNITY, Assertion.ROLE, Assertion.PURPOSE);

    AssertionRules() {
        setRequiredSubjectConfirmationMethod(SAML2Constants.CONF_HOLDER_KEY);
    }

    @Override
    public Credential validate(Credential credential, RequestData data) throws WSSecurityException {
        var result = super.validate(credential, data);
        check(credential.getSamlAssertion());
        return result;
    }

    private static void check(SamlAssertionWrapper assertion) throws WSSecurityException {
        if (!assertion.isSigned()) {
            throw refusal("The assertion is not signed");
        }
        var saml = assertion.getSaml2();
        if (!NameIDType.X509_SUBJECT.equals(saml.getIssuer().getFormat())) {
            throw refusal("The issuer is not named by its X.509 subject");
        }
        if (saml.getSubject() == null || saml.getSubject().getNameID() == null) {
            throw refusal("The assertion names no subject");
        }
        if (saml.getConditions() == null || saml.getConditions().getNotOnOrAfter() == null) {
            throw refusal("The assertion has no end");
        }
        if (saml.getAuthnStatements().isEmpty()) {
            throw refusal("The assertion has no AuthnStatement");
        }
        var said = said(assertion);
        for (var name : REQUIRED) {
            if (said.getOrDefault(name, "").isBlank()) {
                throw refusal("The assertion has no attribute " + name);
            }
        }
    }

    /** Attribute values by name: the code of a coded value, else the text. */
    static Map<String, String> said(SamlAssertionWrapper assertion) {
        var said = new HashMap<String, String>();
        for (var statement : assertion.getSaml2().getAttributeStatements()) {
            for (var attribute : statement.getAttributes()) {
                for (var value : attribute.getAttributeValues()) {
                    said.putIfAbsent(attribute.getName(), read(value.getDOM()));
                }
            }
        }
        return said;
    }

    private static String read(Element value) {
        for (Node child = value.getFirstChild(); child != null; child = child.getNextSibling()) {
            if (child instanceof Element coded) {
                return coded.getAttribute("code");
            }
        }
        return value.getTextContent().strip();
    }

    private static WSSecurityException refusal(String reason) {
        return new WSSecurityException(
                WSSecurityException.ErrorCode.FAILED_AUTHENTICATION,
                new SecurityException(reason));
    }
}
