package peer;

/** The one patient of the facts file. */
record Person(
        String id, String root, String given, String family, String gender, String birthTime,
        String street, String city, String state, String postalCode, String telecom) {

    static Person of(Settings settings) {
        return new Person(
                settings.fact("patient.id"), settings.fact("patient.root"),
                settings.fact("patient.given"), settings.fact("patient.family"),
                settings.fact("patient.gender"), settings.fact("patient.birth"),
                settings.fact("patient.street"), settings.fact("patient.city"),
                settings.fact("patient.state"), settings.fact("patient.zip"),
                settings.fact("patient.telecom"));
    }
}
