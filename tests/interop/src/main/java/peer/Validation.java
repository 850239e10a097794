package peer;

import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.xml.bind.JAXBContext;
import javax.xml.bind.JAXBElement;
import javax.xml.transform.stream.StreamSource;
import org.openehealth.ipf.commons.ihe.hl7v3.XCPD;
import org.openehealth.ipf.commons.ihe.xds.XCA;
import org.openehealth.ipf.commons.ihe.xds.XDS;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLAdhocQueryRequest30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLNonconstructiveDocumentSetRequest30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLQueryResponse30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLRegistryResponse30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.EbXMLRetrieveDocumentSetResponse30;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.RetrieveDocumentSetRequestType;
import org.openehealth.ipf.commons.ihe.xds.core.ebxml.ebxml30.RetrieveDocumentSetResponseType;
import org.openehealth.ipf.commons.ihe.xds.core.stub.ebrs30.query.AdhocQueryRequest;
import org.openehealth.ipf.commons.ihe.xds.core.stub.ebrs30.query.AdhocQueryResponse;
import org.openehealth.ipf.commons.ihe.xds.core.stub.ebrs30.rs.RegistryResponseType;
import org.openehealth.ipf.commons.ihe.xds.core.validate.requests.AdhocQueryRequestValidator;
import org.openehealth.ipf.commons.ihe.xds.core.validate.requests.NonconstructiveDocumentSetRequestValidator;
import org.openehealth.ipf.commons.ihe.xds.core.validate.responses.QueryResponseValidator;
import org.openehealth.ipf.commons.ihe.xds.core.validate.responses.RegistryResponseValidator;
import org.openehealth.ipf.commons.ihe.xds.core.validate.responses.RetrieveDocumentSetResponseValidator;
import org.openehealth.ipf.commons.xml.CombinedXmlValidator;

/** IPF's validators over messages in files, named for the root of the body in them. */
final class Validation {
    private Validation() {}

    @FunctionalInterface
    private interface Check {
        void on(String message) throws Exception;
    }

    private static final Map<String, Check> CHECKS = Map.of(
            "PRPA_IN201305UV02", message -> new CombinedXmlValidator().validate(
                    message, XCPD.Interactions.ITI_55.getRequestValidationProfile()),
            "PRPA_IN201306UV02", Validation::checkDiscoveryAnswer,
            "MCCI_IN000002UV01", Validation::checkDiscoveryAnswer,
            "PatientLocationQueryRequest", message -> new CombinedXmlValidator().validate(
                    message, XCPD.Interactions.ITI_56.getRequestValidationProfile()),
            "PatientLocationQueryResponse", message -> new CombinedXmlValidator().validate(
                    message, XCPD.Interactions.ITI_56.getResponseValidationProfile()),
            "AdhocQueryRequest", message -> AdhocQueryRequestValidator.getInstance().validate(
                    new EbXMLAdhocQueryRequest30(read(message, AdhocQueryRequest.class)),
                    XCA.Interactions.ITI_38),
            "AdhocQueryResponse", message -> QueryResponseValidator.getInstance().validate(
                    new EbXMLQueryResponse30(read(message, AdhocQueryResponse.class)),
                    XCA.Interactions.ITI_38),
            "RetrieveDocumentSetRequest", message ->
                    NonconstructiveDocumentSetRequestValidator.getInstance().validate(
                            new EbXMLNonconstructiveDocumentSetRequest30<>(
                                    read(message, RetrieveDocumentSetRequestType.class)),
                            XCA.Interactions.ITI_39),
            "RetrieveDocumentSetResponse", message ->
                    RetrieveDocumentSetResponseValidator.getInstance().validate(
                            new EbXMLRetrieveDocumentSetResponse30(
                                    read(message, RetrieveDocumentSetResponseType.class)),
                            XCA.Interactions.ITI_39),
            "RegistryResponse", message -> RegistryResponseValidator.getInstance().validate(
                    new EbXMLRegistryResponse30(read(message, RegistryResponseType.class)),
                    XDS.Interactions.ITI_41));

    /** One line a file: what IPF holds against it, empty if nothing. */
    static void run(String folder) throws Exception {
        try (var files = Files.list(Path.of(folder)).sorted()) {
            for (var file : files.toList()) {
                var said = new LinkedHashMap<String, Object>();
                said.put("file", file.getFileName().toString());
                said.put("held_against", heldAgainst(file));
                Report.line(said);
            }
        }
    }

    private static String heldAgainst(Path file) throws Exception {
        var kind = file.getFileName().toString().split("-")[0];
        var check = CHECKS.get(kind);
        if (check == null) {
            return "IPF has no validator of " + kind;
        }
        try {
            check.on(Files.readString(file));
            return "";
        } catch (RuntimeException problem) {
            return String.valueOf(problem.getMessage());
        }
    }

    private static void checkDiscoveryAnswer(String message) {
        new CombinedXmlValidator().validate(
                message, XCPD.Interactions.ITI_55.getResponseValidationProfile());
    }

    private static <T> T read(String message, Class<T> type) throws Exception {
        JAXBElement<T> read = JAXBContext.newInstance(type).createUnmarshaller()
                .unmarshal(new StreamSource(new StringReader(message)), type);
        return read.getValue();
    }
}
