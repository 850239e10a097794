package peer;

import static peer.Xml.escape;

import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.UUID;

/** ITI-55 messages (ITI TF-2: 3.55). */
final class Discovery {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMddHHmmssZ");
    private static final String PARAMETERS =
            "/h:PRPA_IN201305UV02/h:controlActProcess/h:queryByParameter/h:parameterList/";

    private static final String RESPOND_TO =
            "<respondTo typeCode=\"RSP\"><telecom value=\"%s\"/><entityRsp classCode=\"ENT\" "
            + "determinerCode=\"INSTANCE\" xsi:nil=\"true\"/></respondTo>";

    private Discovery() {}

    /** What a partner answered; the id and its authority are empty when nobody matched. */
    record Answer(String acknowledgement, String response, String id, String root, String home) {
        boolean isMatch() {
            return !id.isEmpty();
        }

        boolean isError() {
            return !acknowledgement.equals("AA");
        }
    }

    static String request(Person person, String ownHome, String partnerHome) {
        return request(person, ownHome, partnerHome, null);
    }

    /** With {@code respondTo} the answer is to be brought there in its own time. */
    static String request(
            Person person, String ownHome, String partnerHome, String respondTo) {
        var query = """
                <queryByParameter>
                  <queryId root="%1$s"/>
                  <statusCode code="new"/>
                  <responseModalityCode code="R"/>
                  <responsePriorityCode code="%11$s"/>
                  <parameterList>
                    <livingSubjectAdministrativeGender>
                      <value code="%2$s" codeSystem="2.16.840.1.113883.5.1"/>
                      <semanticsText>LivingSubject.administrativeGender</semanticsText>
                    </livingSubjectAdministrativeGender>
                    <livingSubjectBirthTime>
                      <value value="%3$s"/>
                      <semanticsText>LivingSubject.birthTime</semanticsText>
                    </livingSubjectBirthTime>
                    <livingSubjectName>
                      <value><family>%4$s</family><given>%5$s</given></value>
                      <semanticsText>LivingSubject.name</semanticsText>
                    </livingSubjectName>
                    <patientAddress>
                      <value><streetAddressLine>%6$s</streetAddressLine><city>%7$s</city>\
                <state>%8$s</state><postalCode>%9$s</postalCode></value>
                      <semanticsText>Patient.addr</semanticsText>
                    </patientAddress>
                    <patientTelecom>
                      <value use="HP" value="%10$s"/>
                      <semanticsText>Patient.telecom</semanticsText>
                    </patientTelecom>
                  </parameterList>
                </queryByParameter>""".formatted(
                    oid(), escape(person.gender()), escape(person.birthTime()),
                    escape(person.family()), escape(person.given()), escape(person.street()),
                    escape(person.city()), escape(person.state()), escape(person.postalCode()),
                    escape(person.telecom()), respondTo == null ? "I" : "D");
        var act = """
                <controlActProcess classCode="CACT" moodCode="EVN">
                  <code code="PRPA_TE201305UV02" codeSystem="2.16.840.1.113883.1.6"/>
                  <authorOrPerformer typeCode="AUT">
                    <assignedDevice classCode="ASSIGNED"><id root="%s"/></assignedDevice>
                  </authorOrPerformer>
                %s
                </controlActProcess>""".formatted(bare(ownHome), query);
        return message("PRPA_IN201305UV02", "AL", ownHome, partnerHome,
                respondTo == null ? "" : RESPOND_TO.formatted(escape(respondTo)), act);
    }

    static boolean asksFor(Xml request, Person person) throws Exception {
        var name = PARAMETERS + "h:livingSubjectName/h:value/";
        var gender = request.text(PARAMETERS + "h:livingSubjectAdministrativeGender/h:value/@code");
        var birth = request.text(PARAMETERS + "h:livingSubjectBirthTime/h:value/@value");
        return request.text(name + "h:family").strip().equalsIgnoreCase(person.family())
                && request.text(name + "h:given").strip().equalsIgnoreCase(person.given())
                && birth.startsWith(person.birthTime())
                && (gender.isEmpty() || gender.equals(person.gender()));
    }

    static String response(Xml request, Person person, boolean matches, String ownHome)
            throws Exception {
        var partnerHome = request.text("/*/h:sender//h:representedOrganization/h:id/@root");
        var queryId = request.written("//h:queryByParameter/h:queryId");
        var act = """
                <acknowledgement>
                  <typeCode code="AA"/>
                  <targetMessage>%s</targetMessage>
                </acknowledgement>
                <controlActProcess classCode="CACT" moodCode="EVN">
                  <code code="PRPA_TE201306UV02" codeSystem="2.16.840.1.113883.1.6"/>
                %s
                  <queryAck>
                    %s
                    <statusCode code="deliveredResponse"/>
                    <queryResponseCode code="%s"/>
                  </queryAck>
                  %s
                </controlActProcess>""".formatted(
                    request.written("/*/h:id"), matches ? subject(person, ownHome) : "",
                    queryId, matches ? "OK" : "NF", request.written("//h:queryByParameter"));
        return message("PRPA_IN201306UV02", "NE", ownHome, partnerHome, "", act);
    }

    private static String subject(Person person, String ownHome) {
        return """
                <subject typeCode="SUBJ">
                  <registrationEvent classCode="REG" moodCode="EVN">
                    <id nullFlavor="NA"/>
                    <statusCode code="active"/>
                    <subject1 typeCode="SBJ">
                      <patient classCode="PAT">
                        <id root="%1$s" extension="%2$s"/>
                        <statusCode code="active"/>
                        <patientPerson classCode="PSN" determinerCode="INSTANCE">
                          <name><family>%3$s</family><given>%4$s</given></name>
                          <telecom use="HP" value="%5$s"/>
                          <administrativeGenderCode code="%6$s" codeSystem="2.16.840.1.113883.5.1"/>
                          <birthTime value="%7$s"/>
                          <addr><streetAddressLine>%8$s</streetAddressLine><city>%9$s</city>\
                <state>%10$s</state><postalCode>%11$s</postalCode></addr>
                        </patientPerson>
                        <providerOrganization classCode="ORG" determinerCode="INSTANCE">
                          <id root="%1$s"/>
                          <name>Interop Clinic</name>
                          <contactParty classCode="CON"><telecom value="tel:+1-555-555-0100"/>\
                </contactParty>
                        </providerOrganization>
                        <subjectOf1>
                          <queryMatchObservation classCode="COND" moodCode="EVN">
                            <code code="IHE_PDQ"/>
                            <value xsi:type="INT" value="98"/>
                          </queryMatchObservation>
                        </subjectOf1>
                      </patient>
                    </subject1>
                    <custodian typeCode="CST">
                      <assignedEntity classCode="ASSIGNED">
                        <id root="%12$s"/>
                        <code code="SupportsHealthDataLocator"\
                 codeSystem="1.3.6.1.4.1.19376.1.2.27.2"/>
                      </assignedEntity>
                    </custodian>
                  </registrationEvent>
                </subject>""".formatted(
                    person.root(), escape(person.id()), escape(person.family()),
                    escape(person.given()), escape(person.telecom()), escape(person.gender()),
                    escape(person.birthTime()), escape(person.street()), escape(person.city()),
                    escape(person.state()), escape(person.postalCode()), bare(ownHome));
    }

    private static String message(
            String name, String acceptAck, String ownHome, String partnerHome, String respondTo,
            String rest) {
        return """
                <%1$s xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\
                 ITSVersion="XML_1.0">
                  <id root="%2$s"/>
                  <creationTime value="%3$s"/>
                  <interactionId root="2.16.840.1.113883.1.6" extension="%1$s"/>
                  <processingCode code="T"/>
                  <processingModeCode code="T"/>
                  <acceptAckCode code="%4$s"/>
                  <receiver typeCode="RCV">%5$s</receiver>
                  %8$s
                  <sender typeCode="SND">%6$s</sender>
                %7$s
                </%1$s>""".formatted(
                    name, oid(), OffsetDateTime.now(ZoneOffset.UTC).format(TIME), acceptAck,
                    device(partnerHome), device(ownHome), rest, respondTo);
    }

    private static String device(String home) {
        return """
                <device classCode="DEV" determinerCode="INSTANCE"><id root="%1$s.1"/>\
                <asAgent classCode="AGNT"><representedOrganization classCode="ORG"\
                 determinerCode="INSTANCE"><id root="%1$s"/></representedOrganization></asAgent>\
                </device>""".formatted(bare(home));
    }

    static Answer read(String response) throws Exception {
        var answer = Xml.parse(response);
        var patient = "(//h:subject1/h:patient)[1]/h:id/";
        return new Answer(
                answer.text("/*/h:acknowledgement/h:typeCode/@code"),
                answer.text("//h:queryAck/h:queryResponseCode/@code"),
                answer.text(patient + "@extension"), answer.text(patient + "@root"),
                answer.text("(//h:custodian)[1]/h:assignedEntity/h:id/@root"));
    }

    /** HL7 V3 writes a home community without the prefix that XCA gives it. */
    private static String bare(String home) {
        return home.replaceFirst("^urn:oid:", "");
    }

    private static String oid() {
        return "2.25." + new java.math.BigInteger(UUID.randomUUID().toString().replace("-", ""), 16);
    }
}
