package peer;

import static peer.Xml.escape;

import java.util.ArrayList;
import java.util.List;

/** ITI-56 messages: which communities know a patient (XCPD Health Data Locator: 3.56). */
final class Locations {
    private static final String XCPD = "urn:ihe:iti:xcpd:2009";

    private Locations() {}

    static String request(String root, String extension) {
        return """
                <PatientLocationQueryRequest xmlns="%s">
                  <RequestedPatientId root="%s" extension="%s"/>
                </PatientLocationQueryRequest>""".formatted(XCPD, root, escape(extension));
    }

    static String requested(Xml request, String attribute) throws Exception {
        return request.text("/*/*[local-name()='RequestedPatientId']/@" + attribute);
    }

    static String response(String home, String root, String extension, Xml request)
            throws Exception {
        return """
                <PatientLocationQueryResponse xmlns="%s">
                  <PatientLocationResponse>
                    <HomeCommunityId>%s</HomeCommunityId>
                    <CorrespondingPatientId root="%s" extension="%s"/>
                    <RequestedPatientId root="%s" extension="%s"/>
                  </PatientLocationResponse>
                </PatientLocationQueryResponse>""".formatted(
                    XCPD, home, root, escape(extension), requested(request, "root"),
                    escape(requested(request, "extension")));
    }

    /** Each as the community and the patient id there. */
    static List<String> read(String response) throws Exception {
        var answer = Xml.parse(response);
        var found = new ArrayList<String>();
        var every = "/*/*[local-name()='PatientLocationResponse']";
        for (int one = 1; one <= answer.count(every); one++) {
            var there = every + "[" + one + "]/*[local-name()='%s']";
            var id = there.formatted("CorrespondingPatientId");
            found.add(answer.text(there.formatted("HomeCommunityId")) + " "
                    + answer.text(id + "/@extension") + "^^^&" + answer.text(id + "/@root")
                    + "&ISO");
        }
        return found;
    }
}
