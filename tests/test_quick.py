"""The quick presets, from nothing to the finding, and the control: a network that learned nothing shows nothing."""

import pytest

import grokinterp


@pytest.mark.long
def test_the_quick_preset_groks_and_is_read(tmp_path):
    run = grokinterp.train("quick", tmp_path, progress=False)
    report = grokinterp.analyze(run)
    assert report.finding[0].startswith("This network adds on ")
    assert report.circuit.logits.variance_explained > 0.9
    assert report.phases.train_accuracy_sustained < 200 < report.phases.test_accuracy_sustained < 1500
    assert report.phases.cleanup is not None


@pytest.mark.long
@pytest.mark.parametrize(
    ("preset", "headline", "group"),
    [
        ("quick-division", "This network divides on ", "(Z/59)^× ≅ Z_58"),
        ("quick-s4", "This network composes in ", "S_4"),
    ],
)
def test_a_quick_preset_in_a_group_groks_and_is_read(preset, headline, group, tmp_path):
    run = grokinterp.train(preset, tmp_path, progress=False)
    report = grokinterp.analyze(run)
    assert report.finding[0].startswith(headline)
    assert report.final["test_accuracy"] == report.final["restricted_accuracy"] == 1.0
    assert report.final["excluded_loss"] > 1 > 1e-4 > report.final["restricted_loss"]
    found = report.to_dict()["group"]
    assert found["name"] == group
    explained = found["logits_explained"]
    assert explained["key_irreps"] > 0.3 > 1e-2 > explained["all_irreps_by_chance"]
    learned = [report.curves.learned_at(irrep) for irrep in report.circuit.keys]
    assert all(step is not None and 0 < step <= report.phases.test_accuracy_sustained for step in learned)


@pytest.mark.long
@pytest.mark.parametrize("preset", ["mod-division-97", "s5-composition", "dihedral-59"])
def test_an_untrained_network_of_each_preset_has_no_key_irreps(preset, tmp_path):
    config = grokinterp.RunConfig.preset(preset).with_settings(["training.steps=1"])
    report = grokinterp.analyze(grokinterp.train(config, tmp_path, progress=False))
    assert report.key_irreps == report.key_frequencies == ()
    logits = report.to_dict()["group"]["logits_explained"]
    assert logits["key_irreps"] == 0.0
    assert logits["all_irreps"] == pytest.approx(logits["all_irreps_by_chance"], rel=0, abs=1e-6)
    assert " explains more of its logits than chance does: the " in " ".join(report.finding)
