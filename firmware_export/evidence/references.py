"""The clauses and objectives that ask for each topic of the evidence pack.

Only numbers that public texts quote are given; the ML handbook is cited by topic, because none of its clauses could be
verified.
"""

from dataclasses import dataclass

BASIS = (
    "Clause numbers were compared with public texts that quote the standards, not with the standards: AdaCore's "
    'booklet "AdaCore Technologies for Space Systems Software" for ECSS-E-ST-40C Rev.1 and ECSS-Q-ST-80C Rev.2, '
    "published compliance matrices for clauses 5.3.8 and 5.8.3.12, and published lists of objectives for EASA's "
    "concept paper. Compare them with the issues that your project applies. ECSS-E-HB-40-02A is cited by topic, "
    "because no text of its clauses was available."
)

_E40 = "ECSS-E-ST-40C Rev.1"
_Q80 = "ECSS-Q-ST-80C Rev.2"
_EASA = "EASA concept paper, issue 02"
_ML = "ECSS-E-HB-40-02A"


@dataclass(frozen=True)
class Reference:
    """A clause, an objective, or a topic."""

    document: str
    number: str | None
    """None for a topic."""
    title: str


REFERENCES: dict[str, tuple[Reference, ...]] = {
    "requirements": (
        Reference(_E40, "5.4.2", "software requirements analysis"),
        Reference(_E40, "5.5.2.2", "detailed design of the software interfaces"),
    ),
    "memory": (
        Reference(_E40, "5.3.8", "technical budget and margin management"),
        Reference(_E40, "5.5.2.5", "detailed design of real-time software: dynamic allocation"),
        Reference(_E40, "5.8.3.12", "technical budgets"),
    ),
    "stack": (
        Reference(_E40, "5.8.3.5", "verification of code: robustness"),
        Reference(_E40, "5.8.3.12", "technical budgets"),
    ),
    "timing": (
        Reference(_E40, "5.8.3.11", "schedulability analysis for real-time software"),
        Reference(_E40, "5.8.3.12", "technical budgets"),
    ),
    "parity": (
        Reference(_E40, "5.8.3.5", "verification of code"),
        Reference(_EASA, "LM-06", "optimization of the model, such as quantization"),
        Reference(_EASA, "IMP-04", "transformation of the model after training"),
        Reference(_EASA, "IMP-06", "transformation has not changed the model's properties"),
        Reference(_EASA, "IMP-07", "differences between the platforms of training and verification"),
        Reference(_ML, None, "verification of the deployed model against the trained one"),
    ),
    "golden vectors": (
        Reference(_E40, "5.5.3.2", "software unit testing"),
        Reference(_Q80, "7.2.3.4", "test procedures, data and expected results"),
    ),
    "performance": (
        Reference(_EASA, "IMP-08", "performance of the inference model on test data"),
        Reference(_EASA, "EXP-04", "indication of confidence"),
        Reference(_EASA, "EXP-05", "monitoring of inputs"),
        Reference(_ML, None, "uncertainty of predictions and detection of unusual inputs"),
    ),
    "upsets": (
        Reference(_E40, "5.8.3.4", "verification of the detailed design: fault injection"),
        Reference(_Q80, "6.2.3", "handling of critical software"),
    ),
    "coding rules": (Reference(_Q80, "6.3.4", "coding"),),
    "tools": (
        Reference(_Q80, "5.6.1", "methods and tools"),
        Reference(_Q80, "5.6.2", "development environment selection"),
    ),
}
"""By topic."""
