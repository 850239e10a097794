package hapi;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import java.util.List;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;

/**
 * FHIR R4 as HL7 published it: definitions, invariants, and the value sets that came with them.
 *
 * <p>What those value sets draw from code systems that HL7 does not own (SNOMED CT, LOINC) is not
 * here to be looked up: such codes are warned of, not refused.
 */
final class R4 {
    private final FhirValidator validator;

    R4() {
        var context = FhirContext.forR4();
        var definitions = new ValidationSupportChain(
                new DefaultProfileValidationSupport(context),
                new CommonCodeSystemsTerminologyService(context),
                new InMemoryTerminologyServerValidationSupport(context));
        var module = new FhirInstanceValidator(definitions);
        module.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
        // US Core is a guide of its own; here its profiles are only names.
        module.setErrorForUnknownProfiles(false);
        validator = context.newValidator().registerValidatorModule(module);
    }

    List<Problem> problems(String resource) {
        return validator.validateWithResult(resource).getMessages().stream().map(Problem::of).toList();
    }
}
