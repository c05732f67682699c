from firmware_export.evidence.references import BASIS, REFERENCES


def test_a_document_without_verified_clauses_is_cited_by_topic():
    of_handbook = [each for found in REFERENCES.values() for each in found if each.document == "ECSS-E-HB-40-02A"]
    assert of_handbook
    assert {each.number for each in of_handbook} == {None}
    assert "not with the standards" in BASIS


def test_every_other_reference_has_a_number():
    others = [each for found in REFERENCES.values() for each in found if each.document != "ECSS-E-HB-40-02A"]
    assert all(each.number and each.title for each in others)
