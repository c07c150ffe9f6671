"""Report texts of MIMIC-CXR. The texts are made up; their layout is that of the data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.data.formats import load_format
from evalsuite.data.formats.mimic_cxr import report_sections
from evalsuite.errors import DataError

REPORT = """\
                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)
 
 INDICATION:  ___F with new cough  // eval for infection
 
 TECHNIQUE:  Chest PA and lateral
 
 COMPARISON:  None.
 
 FINDINGS: 
 
 There is no focal consolidation.  Note: the heart
 is normal in size. 
 
 IMPRESSION: 
 
 1. No acute process.
 2. Clips in the right upper quadrant.
 
 NOTIFICATION:  Dr. ___ by phone at 3:15 PM.
"""


def test_sections_are_found_and_squeezed() -> None:
    assert report_sections(REPORT) == {
        "indication": "___F with new cough // eval for infection",
        "findings": "There is no focal consolidation. Note: the heart is normal in size.",
        "impression": "1. No acute process. 2. Clips in the right upper quadrant.",
    }


@pytest.mark.parametrize("heading", ["HISTORY", "CLINICAL HISTORY", "REASON FOR EXAM", "REASON FOR EXAMINATION"])
def test_an_indication_has_many_names(heading: str) -> None:
    assert report_sections(f" {heading}:  Cough.\n FINDINGS: Clear.")["indication"] == "Cough."


def test_a_wet_read_before_the_report_is_left_out() -> None:
    text = " WET READ: ___ 3:21 AM\n  IMPRESSION: Maybe an effusion.\n ____\n        FINAL REPORT\n IMPRESSION: None."
    assert report_sections(text)["impression"] == "None."


@pytest.mark.parametrize(
    "heading", ["PA AND LATERAL CHEST", "FRONTAL AND LATERAL CHEST RADIOGRAPHS", "AP CHEST, 10:21 A.M. ON ___"]
)
def test_findings_may_stand_under_the_name_of_the_views(heading: str) -> None:
    text = f" HISTORY: Cough.\n\n COMPARISON: ___.\n\n {heading}:  Lungs are clear.\n\n CONCLUSION: Normal."
    assert report_sections(text) == {"indication": "Cough.", "findings": "Lungs are clear.", "impression": "Normal."}


def test_a_line_that_names_the_views_ends_the_section_before() -> None:
    text = " HISTORY: Cough.\n\n PA AND LATERAL CHEST, ___ AT 10:20\n\n COMPARISON: ___.\n\n FINDINGS: Clear."
    assert report_sections(text)["indication"] == "Cough."


def test_views_are_no_findings_where_the_report_has_findings() -> None:
    assert report_sections(" CHEST, TWO VIEWS: Good quality.\n FINDINGS: Clear.")["findings"] == "Clear."


def test_findings_and_impression_under_one_heading_are_findings() -> None:
    sections = report_sections(" FINDINGS AND IMPRESSION: Clear.")
    assert (sections["findings"], sections["impression"]) == ("Clear.", "")


def test_a_report_without_headings_has_empty_sections() -> None:
    assert set(report_sections(" The lungs are clear.").values()) == {""}


def test_the_place_of_a_report_names_patient_and_study(tmp_path: Path) -> None:
    path = tmp_path / "p10" / "p10000032" / "s50414267.txt"
    path.parent.mkdir(parents=True)
    path.write_text(REPORT)
    (record,) = load_format("mimic_reports")(path)
    assert (record["subject_id"], record["study_id"]) == ("10000032", "50414267")
    assert record["folder"] == "p10/p10000032/s50414267"
    assert record["impression"].startswith("1. No acute")


def test_another_place_is_refused_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text(REPORT)
    with pytest.raises(DataError, match=r"report\.txt: .*p10/p10000032/s50414267\.txt"):
        list(load_format("mimic_reports")(tmp_path / "report.txt"))
