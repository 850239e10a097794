"""The synthetic documents of the demo's two EHRs; EXPECTED.md says what they hold and why."""
