"""The quick preset, from nothing to the finding."""

import pytest

import grokinterp


@pytest.mark.long
def test_the_quick_preset_groks_and_is_read(tmp_path):
    run = grokinterp.train("quick", tmp_path, progress=False)
    report = grokinterp.analyze(run)
    assert report.finding[0].startswith("This network adds on ")
    assert report.logits.variance_explained > 0.9
    assert report.phases.train_accuracy_sustained < 200 < report.phases.test_accuracy_sustained < 1500
    assert report.phases.cleanup is not None
